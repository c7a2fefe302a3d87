// SPDX-License-Identifier: Apache-2.0

package import Groundwork

/// Waits between attempts that grow, and an end to trying.
package struct RetryBudget: Sendable {
    private var backoff: Backoff
    private let limit: Duration
    private let start: Duration

    /// - Parameters:
    ///   - limit: No attempt begins later than this after the first.
    ///   - now: `TimeSource.uptime` at the first attempt.
    package init(first: Duration = .seconds(5), cap: Duration = .seconds(120), limit: Duration, now: Duration) {
        backoff = Backoff(first: first, cap: cap)
        self.limit = limit
        start = now
    }

    /// How long to wait before the next attempt; `nil` when there shall be none.
    package mutating func next(now: Duration, random: some RandomSource) -> Duration? {
        let wait = backoff.next(random)
        return now - start + wait > limit ? nil : wait
    }
}
