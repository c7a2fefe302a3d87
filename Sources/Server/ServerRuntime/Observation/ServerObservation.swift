// SPDX-License-Identifier: Apache-2.0

import Authority
import Groundwork
import Logging
import NIOCore
import SPIFFE
import SQLDatastore
import ServerAPI
import ServiceLifecycle
import Telemetry
import UnixSignals
import Web
import Wire
import X509

/// How a server shows itself to operators: metrics, traces, health. Made first, so that everything else can report.
struct ServerObservation: Sendable {
    let metrics: MetricSystem
    let tracer: Tracer
    private let config: ServerConfig
    private let log: LogSystem
    private let time: any TimeSource

    init(
        _ config: ServerConfig, lane: BlockingLane, log: LogSystem, time: any TimeSource, random: any RandomSource
    ) {
        self.config = config
        self.log = log
        self.time = time
        metrics = MetricSystem(
            config.telemetry, program: "spire_server", trustDomain: config.trustDomain.name, version: Version.number,
            time: time, lane: lane, logger: log.logger)
        tracer = config.telemetry.traces.map { Tracer(ratio: $0.ratio, time: time, random: random) } ?? .off
    }

    var instruments: Instruments { Instruments(meter: metrics.meter, tracer: tracer) }

    /// The audit log, if there is one of its own.
    /// - Throws: `io`, `failed_precondition`: a server that cannot audit does not start.
    func auditLog(random: any RandomSource) throws -> AuditLog? {
        guard !config.auditLogFile.isEmpty else { return nil }
        return try AuditLog(
            .init(log: config.auditLogFile, directory: config.dataDir), time: time, random: random, logger: log.logger)
    }

    /// What runs beside the server.
    ///
    /// - Parameters:
    ///   - listening: Set once the endpoints are up: health checks are answered from then on.
    /// - Throws: `invalid_argument` for TLS settings that cannot be used.
    func services(
        on group: any EventLoopGroup, identity: @escaping @Sendable () -> TLSIdentity?, bundles: BundleCache,
        checks: [HealthCheck], listening: Watch<Endpoints.Addresses?>
    ) throws -> [any Service] {
        var services: [any Service] = []
        let metrics = metrics
        if metrics.meter.isOn { services.append(Looping { await metrics.run() }) }
        if let prometheus = config.telemetry.prometheus {
            let time = time
            let policy = TLSContextMaker.Policy(requiresPostQuantum: config.experimental.requiresPQKEM)
            let tls = try prometheus.tls.map { settings in
                try WebTLS.prometheus(settings, policy: policy, own: identity) { allowed, chain in
                    let id = try await ClientVerifier.verify(chain, bundles: bundles, at: time)
                    guard allowed.contains(id) else {
                        throw SpireError(.unauthenticated, "\(id) may not read metrics")
                    }
                }
            }
            let exporter = PrometheusExporter(
                prometheus, metrics: metrics, group: group, tls: tls, time: time, logger: log.logger)
            services.append(Looping { await exporter.run() })
        }
        if let traces = config.telemetry.traces {
            services.append(
                TraceService(
                    exporter: SpanExporter(
                        tracer, over: try traces.transport(userAgent: "spire-server/\(Version.number)", group: group),
                        service: "spire-server", version: Version.number, time: time, logger: log.logger)))
        }
        if config.healthChecks.isEnabled {
            let exporter = HealthExporter(
                config.healthChecks, checks: checks, group: group, time: time, logger: log.logger)
            services.append(
                Looping {
                    for await addresses in listening.changes() where addresses != nil { break }
                    try await exporter.run()
                })
        }
        if config.telemetry.inMemory { services.append(MetricsDump(metrics: metrics, log: log)) }
        return services
    }
}

/// Sends traces while the server runs, and what is left when it stops.
private struct TraceService: Service {
    let exporter: SpanExporter

    func run() async throws {
        await cancelWhenGracefulShutdown { await exporter.run() }
        await exporter.finish()
    }
}

/// Writes the in-memory metrics to the log on SIGUSR1.
private struct MetricsDump: Service {
    let metrics: MetricSystem
    let log: LogSystem

    func run() async throws {
        Bootstrap.admitDumpSignal()
        let signals = await UnixSignalsSequence(trapping: .sigusr1)
        await cancelWhenGracefulShutdown {
            for await _ in signals { if let lines = metrics.dump() { log.write(lines: lines) } }
        }
    }
}
