// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// The two names the agent's key alternates between, so that the old key works until the new SVID is in use.
package enum KeySlot: String, Sendable, Hashable, CaseIterable {
    case a = "agent-svid-A"
    case b = "agent-svid-B"

    /// The slot for the next key after `current`.
    package static func next(after current: String?) -> KeySlot { current == KeySlot.a.rawValue ? .b : .a }
}

/// Whether a stored SVID can be used again.
package enum SVIDDecision: Sendable, Equatable {
    /// Use it, with the key of this name.
    case reuse(keyID: String)
    /// Attest, for this reason.
    case attest(Reason)

    /// Texts are the original's log messages.
    package enum Reason: String, Sendable, Equatable {
        case nothing = "No pre-existing agent SVID found. Will perform node attestation"
        case keysWithoutSVID = "Keys recovered, but no SVID found. Generating new keypair"
        case expired = "Private key recovered, but SVID has expired. Generating new keypair"
        case noKeys = "SVID recovered, but no keys found. Generating new keypair"
        case noMatchingKey = "SVID recovered, but no matching key found. Generating new keypair"

        /// Only the first is what a first start looks like.
        package var isWarning: Bool { self != .nothing }
    }

    /// - Parameters:
    ///   - leaf: The stored SVID's public key (DER SubjectPublicKeyInfo) and end; `nil` when none is stored.
    ///   - keys: Name and public key of every key the key manager holds.
    package static func decide(
        leaf: (spki: [UInt8], notAfter: Date)?, keys: [(id: String, spki: [UInt8])], now: Date
    ) -> SVIDDecision {
        guard let leaf else { return .attest(keys.isEmpty ? .nothing : .keysWithoutSVID) }
        guard now.addingTimeInterval(1) < leaf.notAfter else { return .attest(.expired) }
        guard !keys.isEmpty else { return .attest(.noKeys) }
        guard let key = keys.first(where: { $0.spki == leaf.spki }) else { return .attest(.noMatchingKey) }
        return .reuse(keyID: key.id)
    }
}
