// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import Synchronization

/// Where the values of one metric go in one sink. Called from anywhere, often: must be quick and never wait.
package protocol MetricOutlet: Sendable {
    func record(_ value: Double)
}

/// Something metrics are sent to.
package protocol MetricSink: Sendable {
    /// The outlet of a metric; the same one for the same name. `nil` when the sink takes no more metrics.
    func outlet(_ kind: MetricKind, _ name: MetricName) -> (any MetricOutlet)?
}

/// A counter, resolved once and then cheap.
package struct Counter: Sendable {
    let outlets: [any MetricOutlet]
    /// Counts nothing.
    package static let off = Counter(outlets: [])
    package func add(_ amount: Double = 1) { for outlet in outlets { outlet.record(amount) } }
}

/// A value that is replaced.
package struct Gauge: Sendable {
    let outlets: [any MetricOutlet]
    package static let off = Gauge(outlets: [])
    package func set(_ value: Double) { for outlet in outlets { outlet.record(value) } }
}

/// A distribution of values.
package struct Sample: Sendable {
    let outlets: [any MetricOutlet]
    package static let off = Sample(outlets: [])
    package func add(_ value: Double) { for outlet in outlets { outlet.record(value) } }
    /// Adds a time, in milliseconds.
    package func add(_ elapsed: Duration) { if !outlets.isEmpty { add(elapsed.inSeconds * 1000) } }
}

/// Makes a program's metrics and hands them to the configured sinks. Without sinks everything it makes does nothing.
package final class Meter: Sendable {
    /// Measures nothing.
    package static let off = Meter()

    private let sinks: [any MetricSink]
    private let prefix: String
    private let fixedLabels: [MetricName.Label]
    private let filter: MetricFilter
    private let calls = Mutex<[MetricName: CallCounter]>([:])
    private let known = Mutex<Set<String>>([])

    private init() {
        sinks = []
        prefix = ""
        fixedLabels = []
        filter = MetricFilter(TelemetryConfig())
    }

    /// - Parameters:
    ///   - program: The prefix unless the configuration names one: `spire_server`, `spire_agent`.
    ///   - host: This machine's name, for the `host` label.
    package init(
        _ config: TelemetryConfig, program: String, trustDomain: String, host: String, sinks: [any MetricSink]
    ) {
        self.sinks = sinks
        prefix = config.metricPrefix.isEmpty ? program : config.metricPrefix
        filter = MetricFilter(config)
        var labels: [MetricName.Label] = []
        if config.enablesTrustDomainLabel { labels.append(.init("trust_domain", MetricName.sanitized(trustDomain))) }
        if config.enablesHostnameLabel { labels.append(.init("host", host)) }
        fixedLabels = labels
    }

    /// Whether anybody listens.
    package var isOn: Bool { !sinks.isEmpty }

    /// The names, without the prefix and joined by dots, of all that has been made, whether it has counted anything yet
    /// or not. For the test that compares them with the original's.
    package var names: Set<String> { known.withLock { $0 } }

    package func counter(_ key: [String], _ labels: [(String, String)] = []) -> Counter {
        Counter(outlets: outlets(.counter, key, labels))
    }

    package func gauge(_ key: [String], _ labels: [(String, String)] = []) -> Gauge {
        Gauge(outlets: outlets(.gauge, key, labels))
    }

    package func sample(_ key: [String], _ labels: [(String, String)] = []) -> Sample {
        Sample(outlets: outlets(.sample, key, labels))
    }

    /// The counter and timer of a kind of call; the same one for the same key and labels.
    package func call(_ key: [String], _ labels: [(String, String)] = []) -> CallCounter {
        guard isOn else { return .off }
        let name = MetricName(parts: key, labels: labels.map { .init($0.0, $0.1) })
        return calls.withLock { calls in
            if let known = calls[name] { return known }
            self.known.withLock { _ = $0.insert(key.joined(separator: ".")) }
            let made = CallCounter(meter: self, key: key, labels: labels)
            calls[name] = made
            return made
        }
    }

    private func outlets(_ kind: MetricKind, _ key: [String], _ labels: [(String, String)]) -> [any MetricOutlet] {
        guard isOn else { return [] }
        known.withLock { _ = $0.insert(key.joined(separator: ".")) }
        let parts = [prefix] + key
        guard filter.allows(parts.joined(separator: ".")) else { return [] }
        let own = labels.map {
            MetricName.Label(MetricName.sanitized($0.0), MetricName.sanitized($0.1))
        }
        let name = MetricName(parts: parts, labels: (own + fixedLabels).filter { filter.allows(label: $0.name) })
        return sinks.compactMap { $0.outlet(kind, name) }
    }
}

/// Counts calls and their times by how they ended.
package final class CallCounter: Sendable {
    /// Counts nothing.
    package static let off = CallCounter()

    private struct Slot {
        let count: Counter
        let time: Sample
    }

    private let meter: Meter?
    private let key: [String]
    private let labels: [(String, String)]
    private let slots: Mutex<[Slot?]>

    private init() {
        meter = nil
        key = []
        labels = []
        slots = Mutex([])
    }

    fileprivate init(meter: Meter, key: [String], labels: [(String, String)]) {
        self.meter = meter
        self.key = key
        self.labels = labels
        slots = Mutex([Slot?](repeating: nil, count: WireStatus.allCases.count))
    }

    /// Whether anybody listens.
    package var isOn: Bool { meter != nil }

    package func record(_ status: WireStatus, _ elapsed: Duration) {
        guard let meter else { return }
        let slot = slots.withLock { slots in
            if let known = slots[status.rawValue] { return known }
            let own = labels + [("status", status.goName)]
            let made = Slot(count: meter.counter(key, own), time: meter.sample(key + ["elapsed_time"], own))
            slots[status.rawValue] = made
            return made
        }
        slot.count.add()
        slot.time.add(elapsed)
    }

    /// Runs `body` and records how it went.
    package func measure<Result>(
        _ time: any TimeSource, _ body: () async throws -> Result
    ) async rethrows -> Result {
        guard isOn else { return try await body() }
        let start = time.uptime
        do {
            let result = try await body()
            record(.ok, time.uptime - start)
            return result
        } catch {
            record(WireStatus(of: error), time.uptime - start)
            throw error
        }
    }
}

extension WireStatus {
    /// The status of any error as metrics show it.
    package init(of error: any Error) {
        self =
            switch error {
            case let error as SpireError: error.code.wire
            case let error as any WireStatusCarrying: error.wireStatus
            case is CancellationError: .cancelled
            default: .unknown
            }
    }

    /// The name grpc-go prints, which metric labels and audit lines carry.
    package var goName: String {
        switch self {
        case .ok: "OK"
        case .cancelled: "Canceled"
        case .unknown: "Unknown"
        case .invalidArgument: "InvalidArgument"
        case .deadlineExceeded: "DeadlineExceeded"
        case .notFound: "NotFound"
        case .alreadyExists: "AlreadyExists"
        case .permissionDenied: "PermissionDenied"
        case .resourceExhausted: "ResourceExhausted"
        case .failedPrecondition: "FailedPrecondition"
        case .aborted: "Aborted"
        case .outOfRange: "OutOfRange"
        case .unimplemented: "Unimplemented"
        case .internal: "Internal"
        case .unavailable: "Unavailable"
        case .dataLoss: "DataLoss"
        case .unauthenticated: "Unauthenticated"
        }
    }
}

/// Errors of other modules that know their status.
package protocol WireStatusCarrying: Error {
    var wireStatus: WireStatus { get }
}
