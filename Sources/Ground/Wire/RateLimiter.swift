// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import RPC
import Synchronization

/// A token bucket for each key, such as a caller's address: `rate` tokens a second, at most as many saved up.
///
/// Buckets nobody used for one to two minutes are dropped: at each sweep the current generation becomes the previous
/// one, and what is used moves back.
package final class RateLimiter: Sendable {
    private struct State {
        var current: [String: TokenBucket] = [:]
        var previous: [String: TokenBucket] = [:]
        var swept: Duration
    }

    private let rate: Int
    private let time: any TimeSource
    private let state: Mutex<State>
    private static let generation: Duration = .seconds(60)

    /// - Parameter rate: Tokens a second, and the size of a bucket.
    package init(rate: Int, time: any TimeSource) {
        self.rate = rate
        self.time = time
        state = Mutex(State(swept: time.uptime))
    }

    /// Takes `count` tokens of `key`, waiting for them to become available.
    ///
    /// - Parameter timeout: How long the caller can wait at most; `nil` for ever.
    /// - Throws: `RPCStatus` `ResourceExhausted` when `count` is more than a bucket holds or the wait would be too long;
    ///   `CancellationError` (the tokens stay taken, as in Go's limiter, only when the wait had ended).
    package func wait(_ count: Int, key: String, timeout: Duration? = nil) async throws {
        guard count <= rate else {
            throw RPCStatus(.resourceExhausted, "rate (\(count)) exceeds burst size (\(rate))")
        }
        try Task.checkCancellation()
        guard let pause = take(count, key: key, within: timeout) else {
            throw RPCStatus(.resourceExhausted, "rate: Wait(n=\(count)) would exceed context deadline")
        }
        guard pause > .zero else { return }
        do {
            try await time.sleep(for: pause)
        } catch {
            state.withLock { $0.current[key]?.giveBack(count) }
            throw error
        }
    }

    /// Takes one token of `key` if it is there at once.
    /// - Returns: whether it was.
    package func takeNow(key: String) -> Bool { take(1, key: key, within: .zero) != nil }

    /// - Returns: how long to wait for the tokens taken; `nil`, taking none, when that is over `limit`.
    private func take(_ count: Int, key: String, within limit: Duration?) -> Duration? {
        state.withLock { state in
            let now = time.uptime
            Self.sweep(&state, now: now)
            var bucket = state.current[key] ?? state.previous.removeValue(forKey: key) ?? TokenBucket(rate: rate, now: now)
            defer { state.current[key] = bucket }
            return bucket.take(count, now: now, within: limit)
        }
    }

    /// How many keys have a bucket now.
    package var keys: Int { state.withLock { $0.current.count + $0.previous.count } }

    private static func sweep(_ state: inout State, now: Duration) {
        guard now - state.swept >= generation else { return }
        // Twice the span without a sweep means that nobody came at all: both generations are stale.
        state.previous = now - state.swept >= generation * 2 ? [:] : state.current
        state.current = [:]
        state.swept = now
    }
}

/// One bucket. Pure: it says how long to wait, the caller waits.
struct TokenBucket: Sendable {
    private let rate: Double
    /// May be negative: tokens promised to callers who wait.
    private var tokens: Double
    private var filled: Duration

    init(rate: Int, now: Duration) {
        self.rate = Double(rate)
        tokens = Double(rate)
        filled = now
    }

    /// Takes `count` tokens and returns how long to wait for them; `nil`, taking none, when that is over `limit`.
    mutating func take(_ count: Int, now: Duration, within limit: Duration?) -> Duration? {
        let elapsed = max(0, (now - filled).inSeconds)
        let available = min(rate, tokens + elapsed * rate)
        let left = available - Double(count)
        let pause: Duration = left >= 0 ? .zero : .seconds(-left / rate)
        if let limit, pause > limit { return nil }
        tokens = left
        filled = now
        return pause
    }

    mutating func giveBack(_ count: Int) { tokens = min(rate, tokens + Double(count)) }
}
