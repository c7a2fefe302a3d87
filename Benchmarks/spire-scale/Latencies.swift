// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Durations of one kind of event, collected from any task.
final class Latencies: Sendable {
    private let values = Mutex<[Duration]>([])

    func add(_ value: Duration) { values.withLock { $0.append(value) } }

    var count: Int { values.withLock { $0.count } }

    /// Milliseconds at 50 %, 99 % and the most, as JSON fields that begin with `name`.
    func fields(_ name: String) -> [(String, Double)] {
        let sorted = values.withLock { $0 }.sorted()
        guard let last = sorted.last else { return [(name + "_count", 0)] }
        func at(_ part: Double) -> Double { sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))].milliseconds }
        return [
            (name + "_count", Double(sorted.count)), (name + "_p50_ms", at(0.5)), (name + "_p99_ms", at(0.99)),
            (name + "_max_ms", last.milliseconds),
        ]
    }
}

extension Duration {
    var inSeconds: Double {
        let (whole, fraction) = components
        return Double(whole) + Double(fraction) * 1e-18
    }
    var milliseconds: Double { inSeconds * 1000 }
}

/// Runs `body` for each number below `count`, at most `width` at once. The first failure ends all.
func forEach(
    _ count: Int, width: Int, _ body: @escaping @Sendable (Int) async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        var next = 0
        while next < min(width, count) {
            let number = next
            group.addTask { try await body(number) }
            next += 1
        }
        while try await group.next() != nil {
            guard next < count else { continue }
            let number = next
            group.addTask { try await body(number) }
            next += 1
        }
    }
}

/// Runs `body` `rate` times a second for `seconds`, each at its time whether or not the one before has ended.
func paced(
    rate: Double, seconds: Double, _ body: @escaping @Sendable (Int) async -> Void
) async throws {
    guard rate > 0 else { return try await Task.sleep(for: .seconds(seconds)) }
    let clock = ContinuousClock()
    let start = clock.now
    try await withThrowingDiscardingTaskGroup { group in
        for number in 0..<Int(rate * seconds) {
            try await clock.sleep(until: start + .seconds(Double(number) / rate))
            group.addTask { await body(number) }
        }
        try await clock.sleep(until: start + .seconds(seconds))
    }
}
