// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Logging

/// A program's metrics: what it measures with, and the sinks its configuration names.
package struct MetricSystem: Sendable {
    package let meter: Meter
    /// What the page for Prometheus shows; `nil` when it is not configured.
    package let prometheus: PrometheusSink?
    private let statsd: [StatsdSink]
    private let inMemory: InMemorySink?
    private let time: any TimeSource
    private let lane: BlockingLane
    private let logger: Logger

    private static let uptimeInterval: Duration = .seconds(10)
    private static let flushInterval: Duration = .milliseconds(100)

    /// - Parameters:
    ///   - program: `spire_server` or `spire_agent`.
    ///   - lane: For looking up hosts and reading `/proc`.
    package init(
        _ config: TelemetryConfig, program: String, trustDomain: String, version: String, time: any TimeSource,
        lane: BlockingLane, logger: Logger
    ) {
        prometheus = config.prometheus == nil ? nil : PrometheusSink(time: time)
        statsd =
            config.statsd.map { StatsdSink(.statsd, address: $0.address, time: time) }
            + config.dogStatsd.map { StatsdSink(.dogStatsd, address: $0.address, time: time) }
        inMemory = config.inMemory ? InMemorySink(time: time) : nil
        var sinks: [any MetricSink] = statsd
        if let prometheus { sinks.append(prometheus) }
        if let inMemory { sinks.append(inMemory) }
        meter =
            sinks.isEmpty
            ? .off
            : Meter(
                config, program: program, trustDomain: trustDomain, host: ProcessFigures.hostName(), sinks: sinks)
        self.time = time
        self.lane = lane
        var logger = logger
        logger[metadataKey: LogKey.subsystem] = "telemetry"
        self.logger = logger
        meter.gauge(["started"], [("version", version), ("trust_domain_id", trustDomain)]).set(1)
    }

    /// Reports the uptime and sends what push sinks gathered, until cancelled; then sends the rest.
    package func run() async {
        guard meter.isOn else { return }
        let start = time.uptime
        let uptime = meter.gauge(["uptime_in_ms"])
        let used = meter.gauge(["runtime", "sys_bytes"])
        var due = start + Self.uptimeInterval
        let pause = statsd.isEmpty ? Self.uptimeInterval : Self.flushInterval
        while !Task.isCancelled {
            do { try await time.sleep(for: pause) } catch { break }
            if time.uptime >= due {
                due = time.uptime + Self.uptimeInterval
                uptime.set(((time.uptime - start).inSeconds * 1000).rounded())
                if let memory = try? await lane.run({ ProcessFigures.memory() }) { used.set(memory.resident) }
            }
            await flush()
        }
        for sink in statsd { lane.submit { _ = sink.flush() } }
    }

    private func flush() async {
        for sink in statsd where sink.isDirty {
            guard let problem = try? await lane.run({ sink.flush() }) else { continue }
            logger.warning("Metrics cannot be sent; they are dropped", metadata: [LogKey.error: "\(problem)"])
        }
    }

    /// The page for Prometheus.
    package func page() async -> [UInt8] {
        guard let prometheus else { return [] }
        return (try? await lane.run { prometheus.page(also: ProcessFigures.prometheus()) }) ?? []
    }

    /// What the in-memory sink holds, as lines for the log; `nil` when it is not configured.
    package func dump() -> [UInt8]? { inMemory?.dump() }
}
