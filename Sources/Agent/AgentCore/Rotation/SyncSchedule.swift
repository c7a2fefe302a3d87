// SPDX-License-Identifier: Apache-2.0

package import Groundwork

/// Decides when the agent next asks the server for changes and when it next tries to sign what is missing.
package struct SyncSchedule: Sendable {
    /// What is due.
    package enum Turn: Sendable, Equatable {
        case synchronize
        /// Sign what is due, without asking for changes: they come by themselves.
        case renew
        /// Sign what subscribers wait for, without asking for changes first.
        case sign
        case wait(Duration)
    }

    private let interval: Duration
    private var syncBackoff: Backoff
    private var signBackoff: Backoff
    private var nextSync: Duration
    private var earliestSign: Duration = .zero
    private var signWanted = false
    private var isPushed = false

    /// - Parameter now: `TimeSource.uptime`, as in every other call.
    package init(interval: Duration, now: Duration, random: some RandomSource) {
        self.interval = interval
        let cap = min(.seconds(480), interval * 48)
        syncBackoff = Backoff(first: interval, cap: cap)
        signBackoff = Backoff(first: .milliseconds(500), jitter: 0.1, cap: .seconds(240))
        nextSync = now + min(syncBackoff.next(random), .seconds(5))
        syncBackoff.reset()
    }

    /// A subscriber waits for an SVID that is not there.
    package mutating func signingWanted() { signWanted = true }

    /// Whether changes come by themselves. When they no longer do, the next synchronisation comes within an interval.
    ///
    /// - Parameter soon: Something is amiss: synchronise at once.
    package mutating func pushed(_ isPushed: Bool, soon: Bool, now: Duration, random: some RandomSource) {
        if soon, !isPushed { nextSync = min(nextSync, now) }
        guard isPushed != self.isPushed else { return }
        self.isPushed = isPushed
        syncBackoff.reset()
        // Agents that lost their server together shall not come back together.
        nextSync = isPushed ? now + interval : min(nextSync, now + (soon ? .zero : interval * random.unit()))
    }

    /// What was due has been signed, or not.
    package mutating func renewed(now: Duration, succeeded: Bool, random: some RandomSource) {
        if succeeded { syncBackoff.reset() }
        nextSync = now + syncBackoff.next(random)
        if succeeded { syncBackoff.reset() }
    }

    package func turn(now: Duration) -> Turn {
        if now >= nextSync { return isPushed ? .renew : .synchronize }
        if signWanted {
            if now >= earliestSign { return .sign }
            return .wait(min(earliestSign, nextSync) - now)
        }
        return .wait(nextSync - now)
    }

    /// - Parameter cachedSVIDs: With none, the next look comes after 5 seconds at most: a fresh agent is waited for.
    package mutating func synchronized(now: Duration, succeeded: Bool, cachedSVIDs: Int, random: some RandomSource) {
        if succeeded { syncBackoff.reset() }
        var wait = syncBackoff.next(random)
        if succeeded {
            syncBackoff.reset()
            signBackoff.reset()
            signWanted = false
            if cachedSVIDs == 0 { wait = min(wait, .seconds(5)) }
        }
        nextSync = now + wait
    }

    package mutating func signed(now: Duration, succeeded: Bool, random: some RandomSource) {
        if succeeded {
            signBackoff.reset()
            earliestSign = .zero
            signWanted = false
        } else {
            earliestSign = now + signBackoff.next(random)
        }
    }
}
