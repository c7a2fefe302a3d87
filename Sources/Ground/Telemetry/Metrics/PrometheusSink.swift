// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import Synchronization

/// Keeps the present value of every metric for Prometheus to fetch.
///
/// Series stay once they exist: one that is not touched for a minute does not vanish, as the original's do.
package final class PrometheusSink: MetricSink {
    private struct Family {
        let kind: MetricKind
        var series: [String: any Series] = [:]
    }

    private protocol Series: MetricOutlet {
        /// Appends this series' lines. `labels` is `a="b",c="d"` or empty.
        func write(_ name: String, _ labels: String, now: Duration, to out: inout [UInt8])
    }

    /// Labels may hold what callers chose; their number has an end.
    private let maximumSeries: Int
    private let time: any TimeSource
    private let state = Mutex<(families: [String: Family], count: Int)>(([:], 0))

    package init(time: any TimeSource, maximumSeries: Int = 20_000) {
        self.time = time
        self.maximumSeries = maximumSeries
    }

    package func outlet(_ kind: MetricKind, _ name: MetricName) -> (any MetricOutlet)? {
        let flat = Self.flat(name.parts)
        let labels = name.labels.sorted { $0.name < $1.name }
            .map { "\(Self.labelName($0.name))=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
        let time = time
        return state.withLock { state in
            var family = state.families[flat] ?? Family(kind: kind)
            guard family.kind == kind else { return nil }
            if let known = family.series[labels] { return known }
            guard state.count < maximumSeries else { return nil }
            let made: any Series =
                switch kind {
                case .counter: CounterSeries()
                case .gauge: GaugeSeries()
                case .sample: SummarySeries(time: time)
                }
            family.series[labels] = made
            state.families[flat] = family
            state.count += 1
            return made
        }
    }

    /// All metrics in Prometheus' text format.
    /// > Spec: Prometheus text exposition format 0.0.4.
    package func page(also more: [(name: String, kind: String, help: String, value: Double)] = []) -> [UInt8] {
        let families = state.withLock { $0.families }
        let now = time.uptime
        var out: [UInt8] = []
        out.reserveCapacity(64 << 10)
        for (name, kind, help, value) in more {
            Self.header(name, kind, help, &out)
            out.append(contentsOf: "\(name) \(Self.text(value))\n".utf8)
        }
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            let kind =
                switch family.kind {
                case .counter: "counter"
                case .gauge: "gauge"
                case .sample: "summary"
                }
            Self.header(name, kind, name, &out)
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name, labels, now: now, to: &out)
            }
        }
        return out
    }

    private static func header(_ name: String, _ kind: String, _ help: String, _ out: inout [UInt8]) {
        out.append(contentsOf: "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n".utf8)
    }

    fileprivate static func line(_ name: String, _ labels: String, _ value: Double, _ out: inout [UInt8]) {
        out.append(contentsOf: name.utf8)
        if !labels.isEmpty { out.append(contentsOf: "{\(labels)}".utf8) }
        out.append(UInt8(ascii: " "))
        out.append(contentsOf: text(value).utf8)
        out.append(UInt8(ascii: "\n"))
    }

    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }

    private static func flat(_ parts: [String]) -> String {
        var bytes = parts.joined(separator: "_").utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
                byte
            default: UInt8(ascii: "_")
            }
        }
        if let first = bytes.first, first >= 0x30, first <= 0x39 { bytes.insert(UInt8(ascii: "_"), at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func labelName(_ name: String) -> String { flat([name.replacing(":", with: "_")]) }

    private static func escaped(_ value: String) -> String {
        var out = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    // MARK: Series

    private final class CounterSeries: Series {
        private let bits = Atomic<UInt64>(0)

        func record(_ value: Double) {
            guard value >= 0 else { return }
            var old = bits.load(ordering: .relaxed)
            while true {
                let (done, now) = bits.weakCompareExchange(
                    expected: old, desired: (Double(bitPattern: old) + value).bitPattern, ordering: .relaxed)
                if done { return }
                old = now
            }
        }

        func write(_ name: String, _ labels: String, now: Duration, to out: inout [UInt8]) {
            PrometheusSink.line(name, labels, Double(bitPattern: bits.load(ordering: .relaxed)), &out)
        }
    }

    private final class GaugeSeries: Series {
        private let bits = Atomic<UInt64>(0)

        func record(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

        func write(_ name: String, _ labels: String, now: Duration, to out: inout [UInt8]) {
            PrometheusSink.line(name, labels, Double(bitPattern: bits.load(ordering: .relaxed)), &out)
        }
    }

    /// A sum, a count, and quantiles over the last ten seconds' values, of the newest 512.
    private final class SummarySeries: Series {
        private struct State {
            var sum = 0.0
            var count: UInt64 = 0
            var recent: [(at: Duration, value: Double)] = []
            var next = 0
        }
        private static let window: Duration = .seconds(10)
        private static let capacity = 512

        private let time: any TimeSource
        private let state = Mutex(State())

        init(time: any TimeSource) { self.time = time }

        func record(_ value: Double) {
            let now = time.uptime
            state.withLock { state in
                state.sum += value
                state.count += 1
                if state.recent.count < Self.capacity {
                    state.recent.append((now, value))
                } else {
                    state.recent[state.next] = (now, value)
                    state.next = (state.next + 1) % Self.capacity
                }
            }
        }

        func write(_ name: String, _ labels: String, now: Duration, to out: inout [UInt8]) {
            let (sum, count, values) = state.withLock { state in
                let values = state.recent.lazy.filter { now - $0.at <= Self.window }.map(\.value)
                return (state.sum, state.count, Array(values))
            }
            let sorted = values.sorted()
            let comma = labels.isEmpty ? "" : ","
            for (text, rank) in [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99)] {
                let place = max(0, Int((rank * Double(sorted.count)).rounded(.up)) - 1)
                let value = sorted.isEmpty ? .nan : sorted[min(place, sorted.count - 1)]
                PrometheusSink.line(name, "\(labels)\(comma)quantile=\"\(text)\"", value, &out)
            }
            PrometheusSink.line(name + "_sum", labels, sum, &out)
            PrometheusSink.line(name + "_count", labels, Double(count), &out)
        }
    }
}
