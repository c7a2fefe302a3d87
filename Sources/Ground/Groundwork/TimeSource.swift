// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// Where time comes from. Handed in everywhere so that tests decide what time it is.
package protocol TimeSource: Sendable {
    /// The wall clock.
    var now: Date { get }
    /// A reading that never goes backwards, for measuring spans; its zero is arbitrary.
    var uptime: Duration { get }
    /// Suspends for `duration`; at once when it is zero or negative.
    /// - Throws: `CancellationError` when the task is cancelled.
    func sleep(for duration: Duration) async throws
}

extension TimeSource {
    /// Suspends until the wall clock shows `deadline`, as far as can be told now: a later clock step is not followed.
    package func sleep(until deadline: Date) async throws {
        try await sleep(for: .seconds(deadline.timeIntervalSince(now)))
    }
}

/// The machine's clocks.
package struct SystemTime: TimeSource {
    package init() {}

    package var now: Date { Date() }
    package var uptime: Duration { ContinuousClock.now - Self.start }

    package func sleep(for duration: Duration) async throws {
        if duration <= .zero { return try Task.checkCancellation() }
        try await Task.sleep(for: duration, clock: .continuous)
    }

    private static let start = ContinuousClock.now
}

extension Duration {
    /// The span in seconds with fractions, for arithmetic with `Date`.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
