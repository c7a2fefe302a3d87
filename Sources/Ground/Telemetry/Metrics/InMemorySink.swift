// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Groundwork
import Synchronization

/// Keeps an hour of metrics in intervals of a second, for an operator who asks for them with a signal.
package final class InMemorySink: MetricSink {
    private struct Aggregate {
        var count = 0
        var sum = 0.0
        var squares = 0.0
        var least = Double.infinity
        var most = -Double.infinity
        var value = 0.0
        var last = Date(timeIntervalSince1970: 0)

        mutating func add(_ value: Double, _ now: Date) {
            count += 1
            sum += value
            squares += value * value
            least = min(least, value)
            most = max(most, value)
            self.value = value
            last = now
        }

        var deviation: Double {
            count < 2 ? 0 : max(0, (squares - sum * sum / Double(count)) / Double(count - 1)).squareRoot()
        }
    }

    private struct Key: Hashable {
        let kind: MetricKind
        let name: String
    }

    private struct Interval {
        let second: Int
        var values: [Key: Aggregate] = [:]
    }

    private struct State {
        var intervals: [Interval] = []
        var held = 0
    }

    private static let retention = 3600
    /// Most aggregates kept; the oldest intervals go first.
    static let maximumAggregates = 50_000

    private let time: any TimeSource
    private let state = Mutex(State())

    package init(time: any TimeSource) { self.time = time }

    package func outlet(_ kind: MetricKind, _ name: MetricName) -> (any MetricOutlet)? {
        Outlet(sink: self, key: Key(kind: kind, name: (name.parts + name.labels.map(\.value)).joined(separator: ".")))
    }

    private struct Outlet: MetricOutlet {
        let sink: InMemorySink
        let key: Key
        func record(_ value: Double) { sink.add(key, value) }
    }

    private func add(_ key: Key, _ value: Double) {
        let now = time.now
        let second = Int(now.timeIntervalSince1970.rounded(.down))
        state.withLock { state in
            if state.intervals.last?.second != second {
                state.intervals.append(Interval(second: second))
                var gone = 0
                while gone < state.intervals.count - 1,
                    state.intervals[gone].second < second - Self.retention || state.held > Self.maximumAggregates
                {
                    state.held -= state.intervals[gone].values.count
                    gone += 1
                }
                if gone > 0 { state.intervals.removeFirst(gone) }
            }
            let place = state.intervals.count - 1
            if state.intervals[place].values[key] == nil {
                guard state.intervals[place].values.count < Self.maximumAggregates else { return }
                state.held += 1
            }
            state.intervals[place].values[key, default: Aggregate()].add(value, now)
        }
    }

    /// Every completed interval as lines: `[time][C] 'name': Count: … Sum: … LastUpdated: …`.
    package func dump() -> [UInt8] {
        let now = Int(time.now.timeIntervalSince1970.rounded(.down))
        let intervals = state.withLock { $0.intervals }
        var out: [UInt8] = []
        for interval in intervals where interval.second < now {
            let stamp = Date(timeIntervalSince1970: Double(interval.second)).formatted(.iso8601)
            for (kind, mark) in [(MetricKind.gauge, "G"), (.counter, "C"), (.sample, "S")] {
                let own = interval.values.filter { $0.key.kind == kind }
                for (key, value) in own.sorted(by: { $0.key.name < $1.key.name }) {
                    let text =
                        kind == .gauge ? Self.number(value.value) : Self.text(value)
                    out.append(contentsOf: "[\(stamp)][\(mark)] '\(key.name)': \(text)\n".utf8)
                }
            }
        }
        return out
    }

    private static func text(_ value: Aggregate) -> String {
        var text = "Count: \(value.count)"
        if value.count > 1 {
            text += " Min: \(number(value.least)) Mean: \(number(value.sum / Double(value.count)))"
            text += " Max: \(number(value.most)) Stddev: \(number(value.deviation))"
        }
        return text + " Sum: \(number(value.sum)) LastUpdated: \(value.last.formatted(.iso8601))"
    }

    private static func number(_ value: Double) -> String {
        let full = String(decoding: DecimalText.bytes(value, digits: 6), as: UTF8.self)
        return full.contains(".") ? String(full.dropLast(3)) : full
    }
}
