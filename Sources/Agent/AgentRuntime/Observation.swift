// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Groundwork
import Logging
import NIOCore
import SPIFFE
import ServiceLifecycle
import Synchronization
import Telemetry
import UnixSignals
import Web
import Wire
import X509

/// What of a running agent its observers look at; set as the agent comes up.
final class AgentLiveness: Sendable {
    private struct State {
        var credentials: AgentCredentials?
        var isHealthy: (@Sendable () async -> Bool)?
    }
    private let state = Mutex(State())
    /// Whether every API listens.
    let isServing = Watch(false)

    var credentials: AgentCredentials? { state.withLock { $0.credentials } }

    func enrolled(_ credentials: AgentCredentials) { state.withLock { $0.credentials = credentials } }

    /// - Parameter isHealthy: `nil` without a public endpoint.
    func serving(_ isHealthy: (@Sendable () async -> Bool)?) {
        state.withLock { $0.isHealthy = isHealthy }
        isServing.set(true)
    }

    /// > Matches: SPIRE agent's health check: it lives while it comes up, but is not ready.
    func health() async -> HealthState {
        guard isServing.value else { return HealthState(isLive: true, isReady: false) }
        guard let isHealthy = state.withLock({ $0.isHealthy }) else {
            var healthy = HealthState.healthy
            healthy.hasDetails = false
            return healthy
        }
        if await isHealthy() { return .healthy }
        return HealthState(
            isLive: false, isReady: false, details: ["make_new_x509_err": "workload api is unavailable"])
    }
}

/// How an agent shows itself to operators: metrics, traces, health. Made before anything that reports.
struct AgentObservation: Sendable {
    let liveness = AgentLiveness()
    let instruments: Instruments
    private let metrics: MetricSystem
    private let config: AgentConfig
    private let logs: LogSystem
    private let clocks: Clocks
    /// Health checks are answered after this long even if the APIs are not up.
    private static let patience: Duration = .seconds(8)

    init(_ config: AgentConfig, logs: LogSystem, clocks: Clocks) {
        self.config = config
        self.logs = logs
        self.clocks = clocks
        metrics = MetricSystem(
            config.telemetry, program: "spire_agent", trustDomain: config.trustDomain.name, version: Version.number,
            time: clocks.time, lane: BlockingLane("telemetry", width: 1), logger: logs.logger)
        let tracer = config.telemetry.traces.map {
            Tracer(ratio: $0.ratio, time: clocks.time, random: clocks.random)
        }
        instruments = Instruments(meter: metrics.meter, tracer: tracer ?? .off)
    }

    /// What runs beside the agent.
    /// - Throws: `invalid_argument` for TLS settings that cannot be used.
    func services(on group: any EventLoopGroup) throws -> [any Service] {
        var services: [any Service] = []
        let metrics = metrics
        let liveness = liveness
        let time = clocks.time
        if metrics.meter.isOn { services.append(Observing { await metrics.run() }) }
        if let prometheus = config.telemetry.prometheus {
            let policy = TLSContextMaker.Policy(requiresPostQuantum: config.experimental.requiresPQKEM)
            let tls = try prometheus.tls.map { settings in
                try WebTLS.prometheus(settings, policy: policy, own: { liveness.credentials?.svid.tlsIdentity }) { allowed, chain in
                    try Self.judge(chain, allowed, liveness.credentials, time)
                }
            }
            let exporter = PrometheusExporter(
                prometheus, metrics: metrics, group: group, tls: tls, time: time, logger: logs.logger)
            services.append(Observing { await exporter.run() })
        }
        if let traces = config.telemetry.traces {
            let exporter = SpanExporter(
                instruments.tracer,
                over: try traces.transport(userAgent: "spire-agent/\(Version.number)", group: group),
                service: "spire-agent", version: Version.number, time: time, logger: logs.logger)
            services.append(Observing({ await exporter.run() }, last: { await exporter.finish() }))
        }
        if config.healthChecks.isEnabled {
            let exporter = HealthExporter(
                config.healthChecks, checks: [HealthCheck("agent") { await liveness.health() }], group: group,
                time: time, logger: logs.logger)
            services.append(
                Observing {
                    await Self.wait(for: liveness.isServing, atMost: Self.patience, time)
                    try await exporter.run()
                })
        }
        if config.telemetry.inMemory {
            let logs = logs
            services.append(
                Observing {
                    ProcessSurroundings.admitDumpSignal()
                    for await _ in await UnixSignalsSequence(trapping: .sigusr1) {
                        if let lines = metrics.dump() { logs.write(lines: lines) }
                    }
                })
        }
        return services
    }

    private static func wait(for isServing: Watch<Bool>, atMost patience: Duration, _ time: any TimeSource) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await serving in isServing.changes() where serving { break } }
            group.addTask { try? await time.sleep(for: patience) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Judges a client by the agent's own trust bundle.
    private static func judge(
        _ chain: [Certificate], _ allowed: Set<SPIFFEID>, _ credentials: AgentCredentials?, _ time: any TimeSource
    ) throws {
        guard let credentials else { throw SpireError(.unavailable, "the agent has no trust bundle yet") }
        let bundle = try X509Bundle(
            credentials.bundle.trustDomain, der: credentials.authorities.flatMap { $0 })
        let id = try X509SVID.verify(chain, bundles: bundle, at: time.now).id
        guard allowed.contains(id) else { throw SpireError(.invalid, "\(id) may not read metrics") }
    }
}

/// A loop that ends by cancellation on a graceful stop, and what is to be done after it.
private struct Observing: Service {
    private let loop: @Sendable () async throws -> Void
    private let last: @Sendable () async -> Void

    init(_ loop: @escaping @Sendable () async throws -> Void, last: @escaping @Sendable () async -> Void = {}) {
        self.loop = loop
        self.last = last
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await loop() }
        } catch is CancellationError {
            // The end that was asked for.
        }
        await last()
    }
}
