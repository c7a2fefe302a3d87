// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
import Groundwork

/// Whether, and when, an agent that no longer trusts its server may fetch its trust bundle anew.
package struct Rebootstrap: Sendable, Hashable {
    package enum Mode: String, Sendable, Hashable {
        case never, auto, always
    }

    /// What to do about a server the stored bundle does not vouch for.
    package enum Step: Sendable, Equatable {
        /// Give up: it will not get better by itself.
        case fail
        /// It may be a passing disagreement.
        case ignore(timeLeft: Duration)
        case startOver
    }

    package var mode: Mode
    package var delay: Duration

    package init(mode: Mode = .never, delay: Duration = .seconds(600)) {
        self.mode = mode
        self.delay = delay
    }

    /// How long starting up may be tried.
    package var patience: Duration { mode == .never ? .seconds(60) : .seconds(24 * 3600) }

    /// - Parameter since: When the disagreement was first seen; `nil` for now.
    package func step(since: Date?, now: Date) -> Step {
        guard mode != .never else { return .fail }
        let left = delay - .seconds(now.timeIntervalSince(since ?? now))
        return left > .zero ? .ignore(timeLeft: left) : .startOver
    }

    /// The rule in force for an agent with a stored SVID.
    /// - Throws: `agent.attestation` when the mode demands what the attestation cannot give.
    package func checked(canReattest: Bool) throws -> (rule: Rebootstrap, warning: String?) {
        guard !canReattest, mode != .never else { return (self, nil) }
        let reason = "the NodeAttestor plugin or the spire server configuration is not allowing it"
        guard mode == .auto else {
            throw SpireError(.attestation, "you have requested rebootstrap support but \(reason)")
        }
        var rule = self
        rule.mode = .never
        return (rule, "you have requested rebootstrap support but \(reason)")
    }
}
