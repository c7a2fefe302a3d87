// SPDX-License-Identifier: Apache-2.0

/// An exponential wait schedule. Pure: it says how long to wait, the caller waits.
package struct Backoff: Sendable {
    package let first: Duration
    package let multiplier: Double
    /// Fraction by which each wait may differ, 0.1 meaning ±10 %.
    package let jitter: Double
    package let cap: Duration
    private var current: Duration

    package init(first: Duration, multiplier: Double = 1.5, jitter: Double = 0.1, cap: Duration) {
        self.first = first
        self.multiplier = multiplier
        self.jitter = jitter
        self.cap = cap
        self.current = first
    }

    /// Returns the next wait and grows the one after it.
    package mutating func next(_ random: some RandomSource) -> Duration {
        let base = min(current, cap)
        current = min(current * multiplier, cap)
        let factor = 1 + jitter * (2 * random.unit() - 1)
        return base * factor
    }

    /// Starts over after a success.
    package mutating func reset() { current = first }
}
