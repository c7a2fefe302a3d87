// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Logging
package import NIOCore
package import SPIFFE
package import Telemetry
package import Wire
package import X509

/// The listener Prometheus fetches metrics from. That it cannot listen is a warning, never the program's end.
package struct PrometheusExporter: Sendable {
    private let config: TelemetryConfig.Prometheus
    private let metrics: MetricSystem
    private let group: any EventLoopGroup
    private let tls: WebTLS?
    private let time: any TimeSource
    private let logger: Logger

    /// - Parameter logger: The subsystem is added here.
    package init(
        _ config: TelemetryConfig.Prometheus, metrics: MetricSystem, group: any EventLoopGroup, tls: WebTLS?,
        time: any TimeSource, logger: Logger
    ) {
        self.config = config
        self.metrics = metrics
        self.group = group
        self.tls = tls
        self.time = time
        var logger = logger
        logger[metadataKey: LogKey.subsystem] = "telemetry"
        self.logger = logger
    }

    /// Serves until cancelled.
    package func run() async {
        if config.host != "localhost" {
            // The original says "Agent" on servers too, and alerts look for these words.
            logger.warning(
                "Agent is now configured to accept remote network connections for Prometheus stats collection. Please ensure access to this port is tightly controlled"
            )
        }
        logger.info(
            "Starting prometheus exporter", metadata: ["host": "\(config.host)", "port": .stringConvertible(config.port)])
        do {
            let listener = try await WebListener.bind(
                host: config.host, port: config.port, group: group, tls: tls, time: time,
                handler: OperatorPages.metrics(metrics))
            await untilCancelled(time)
            await listener.close()
        } catch {
            logger.warning("Prometheus listener stopped unexpectedly: \(error)")
        }
    }
}

/// The listener for health checks of orchestrators.
package struct HealthExporter: Sendable {
    private let config: HealthChecksConfig
    private let registry: HealthRegistry
    private let monitor: HealthMonitor
    private let group: any EventLoopGroup
    private let time: any TimeSource
    private let logger: Logger

    /// - Parameter logger: The subsystem is added here.
    package init(
        _ config: HealthChecksConfig, checks: [HealthCheck], group: any EventLoopGroup, time: any TimeSource,
        logger: Logger
    ) {
        var logger = logger
        logger[metadataKey: LogKey.subsystem] = "health"
        self.logger = logger
        self.config = config
        self.group = group
        self.time = time
        registry = HealthRegistry(parts: checks.map(\.name))
        monitor = HealthMonitor(checks, registry: registry, time: time, logger: logger)
    }

    /// Checks and serves until cancelled.
    /// - Throws: `io` when the address cannot be bound, `invalid_argument` for a port that is none.
    package func run() async throws {
        guard let port = Int(config.bindPort), (0...65535).contains(port) else {
            throw SpireError(.invalid, "health_checks.bind_port \"\(config.bindPort)\" is not a port")
        }
        let listener = try await WebListener.bind(
            host: config.bindAddress, port: port, group: group, time: time,
            handler: OperatorPages.health(registry, livePath: config.livePath, readyPath: config.readyPath))
        logger.info("Serving health checks", metadata: [LogKey.address: "\(listener.addressText)"])
        await monitor.run()
        await listener.close()
    }
}

private func untilCancelled(_ time: any TimeSource) async {
    while !Task.isCancelled { try? await time.sleep(for: .seconds(3600)) }
}

extension WebTLS {
    /// The TLS side of the Prometheus listener.
    ///
    /// - Parameters:
    ///   - own: The program's own identity, for `use_spire_svid`.
    ///   - judge: Judges clients when SPIFFE IDs are named, by those IDs.
    /// - Throws: `invalid_argument` with `failed to create TLS config for Prometheus: …`.
    package static func prometheus(
        _ config: TelemetryConfig.TLS, policy: TLSContextMaker.Policy = .standard,
        own: @escaping @Sendable () -> TLSIdentity?,
        judge: @escaping @Sendable (Set<SPIFFEID>, [Certificate]) async throws -> Void
    ) throws -> WebTLS {
        func failed(_ reason: String) -> SpireError {
            SpireError(.invalid, "failed to create TLS config for Prometheus: \(reason)")
        }
        do {
            var identity = own
            if !config.usesOwnSVID {
                let pair = try files(certificate: config.certificateFile, key: config.keyFile)
                identity = { pair }
            }
            var clients = Clients.anyone
            if !config.authorizedIDs.isEmpty {
                var ids = Set<SPIFFEID>()
                for text in config.authorizedIDs {
                    do {
                        ids.insert(try SPIFFEID(text))
                    } catch {
                        throw SpireError(.invalid, "invalid authorized SPIFFE ID \"\(text)\": \(error)")
                    }
                }
                let allowed = ids
                clients = .judged { try await judge(allowed, $0) }
            } else if !config.clientCAFile.isEmpty {
                clients = .signedBy(try authorities(file: config.clientCAFile))
            }
            return WebTLS(identity: identity, clients: clients, policy: policy)
        } catch {
            throw failed("\(error)")
        }
    }
}
