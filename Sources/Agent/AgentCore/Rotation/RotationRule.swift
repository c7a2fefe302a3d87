// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Groundwork

/// When a credential is replaced: at about half of its lifetime, or a configured span before it ends.
///
/// The moment is drawn anew at every look, so that a fleet started at once does not renew at once.
/// > Matches: SPIRE agent, rotation of its own, workload and JWT identities.
package struct RotationRule: Sendable {
    /// How long before the end a certificate must have been replaced; `nil` for the half-life rule alone.
    package var availabilityTarget: Duration?

    /// A certificate must live this much longer than the target for the target to be used.
    static let grace: Double = 12 * 3600
    private static let spread: Double = 600

    package init(availabilityTarget: Duration? = nil) { self.availabilityTarget = availabilityTarget }

    /// Whether the configured target is used for a certificate that lives for `lifetime` seconds.
    package func usesTarget(lifetime: Double) -> Bool {
        availabilityTarget.map { lifetime - $0.inSeconds > Self.grace } ?? false
    }

    /// Whether a certificate valid from `notBefore` to `notAfter` is to be replaced now.
    package func isDue(notBefore: Date, notAfter: Date, now: Date, random: some RandomSource) -> Bool {
        let left = notAfter.timeIntervalSince(now)
        if left <= 0 { return true }
        let lifetime = notAfter.timeIntervalSince(notBefore)
        if let target = availabilityTarget, usesTarget(lifetime: lifetime),
            left <= target.inSeconds + random.unit() * Self.spread
        {
            return true
        }
        let half = lifetime / 2
        return left <= half * (0.9 + 0.2 * random.unit())
    }

    /// Whether a token issued at `issuedAt` that ends at `expiresAt` is to be replaced now.
    package static func isTokenDue(issuedAt: Date, expiresAt: Date, now: Date, random: some RandomSource) -> Bool {
        RotationRule().isDue(notBefore: issuedAt, notAfter: expiresAt, now: now, random: random)
    }
}
