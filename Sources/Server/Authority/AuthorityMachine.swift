// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// Decides when authorities of one kind are prepared and take over. Pure: time comes in, actions go out, and whoever
/// performed an action says so.
///
/// At most two authorities: the active one, and a spare that is either prepared to follow it or what it followed.
package struct AuthorityMachine: Sendable, Hashable {
    /// What is to be done next.
    package enum Action: Sendable, Hashable {
        /// Make a key in this slot, publish it, then tell `prepared`.
        case prepare(SlotLabel)
        /// Record that the spare is active, tell `activated`, then sign with it.
        case activate(LocalAuthority)
    }

    package private(set) var active: LocalAuthority?
    package private(set) var spare: LocalAuthority?

    package init() {}

    /// Continues with what a journal held. A spare in the active one's slot, and an active one that is not, are ignored.
    package init(active: LocalAuthority?, spare: LocalAuthority?) {
        if let active, active.status == .active { self.active = active }
        if let spare, spare.status != .active, spare.label != self.active?.label { self.spare = spare }
    }

    /// - Parameter now: Unix seconds.
    package func next(now: Int64) -> Action? {
        let successor = spare.flatMap { $0.status == .prepared && $0.notAfter > now ? $0 : nil }
        guard let active else {
            if let successor { return .activate(successor) }
            return .prepare(preparationSlot)
        }
        if successor == nil, now > active.prepareNextAfter { return .prepare(preparationSlot) }
        if let successor, now > active.activateNextAfter { return .activate(successor) }
        return nil
    }

    /// The first moment at which time alone makes `next` ask for something; `nil` when it asks already.
    ///
    /// - Parameter now: Unix seconds.
    package func nextDue(now: Int64) -> Int64? {
        guard next(now: now) == nil, let active else { return nil }
        return [active.prepareNextAfter + 1, active.activateNextAfter + 1].filter { $0 > now }.min()
    }

    /// The slot the next preparation goes to: never the active one's.
    package var preparationSlot: SlotLabel {
        if let active { return active.label.other }
        return spare?.label.other ?? .a
    }

    /// The key in `label` is about to be replaced: whatever the spare was signed with is gone.
    package mutating func replacing(_ label: SlotLabel) {
        precondition(active?.label != label, "the active authority's key is never replaced")
        if spare?.label == label { spare = nil }
    }

    /// A new authority is published and ready.
    package mutating func prepared(_ authority: LocalAuthority) {
        precondition(authority.status == .prepared && authority.label != active?.label, "prepared in the other slot")
        spare = authority
    }

    /// The spare takes over; what was active becomes old.
    package mutating func activated() {
        guard var successor = spare, successor.status == .prepared else { return }
        successor.status = .active
        var former = active
        former?.status = .old
        active = successor
        spare = former
    }
}

// Requests of an operator. Each says whether it may be done, in the words of the original's LocalAuthority service.
extension AuthorityMachine {
    /// - Throws: `authority.unavailable` before the first activation.
    package func requireActive() throws -> LocalAuthority {
        guard let active else { throw SpireError(.authorityUnavailable, "server is initializing") }
        return active
    }

    /// - Returns: the spare, if it is the one named and prepared.
    /// - Throws: `authority.unexpected`, `authority.wrong_status`.
    package func checkActivation(id: String) throws -> LocalAuthority {
        let spare = try named(id, whenActive: nil)
        guard spare.status == .prepared else {
            throw SpireError(
                .authorityStatus,
                "only Prepared authorities can be activated: unsupported local authority status: \(spare.status.rawValue)")
        }
        return spare
    }

    /// - Throws: `authority.unexpected`.
    package func checkTaint(id: String) throws {
        let spare = try named(id, whenActive: "unable to taint current local authority")
        guard spare.status == .old else {
            throw SpireError(
                .authorityUnexpected,
                "only Old local authorities can be tainted: unsupported local authority status: \(spare.status.rawValue)")
        }
    }

    /// - Throws: `authority.unexpected`.
    package func checkX509Revocation(id: String) throws {
        do {
            let spare = try named(id, whenActive: "unable to use current authority")
            guard spare.status == .old else {
                throw SpireError(.authorityUnexpected, "only Old local authority can be revoked")
            }
        } catch let error as SpireError {
            throw error.while("invalid authority ID")
        }
    }

    /// JWT keys of other servers and of times before may be revoked too, so the bundle's keys decide.
    /// - Throws: `authority.unexpected`.
    package func checkJWTRevocation(id: String, published: [String]) throws {
        let reason: String
        if id.isEmpty {
            reason = "no authority ID provided"
        } else if id == active?.id {
            reason = "unable to use current authority"
        } else if let spare, spare.id == id, spare.status == .prepared {
            reason = "unable to use a prepared key"
        } else if !published.contains(id) {
            reason = "no JWT authority found with provided authority ID"
        } else {
            return
        }
        throw SpireError(.authorityUnexpected, "invalid authority ID: \(reason)")
    }

    /// Only the authority above an old local one may be given up: what the present one signed still rests on its own.
    /// - Throws: `authority.unexpected`.
    package func checkUpstream(subjectKeyID id: String) throws {
        let reason: String
        if id.isEmpty {
            reason = "no subject key ID provided"
        } else if id == active?.upstreamAuthorityID {
            // The word is the original's.
            reason = "unable to use upstream authority singing current authority"
        } else if id != spare?.upstreamAuthorityID {
            reason = "upstream authority didn't sign the old local authority"
        } else if spare?.status != .old {
            reason = "only upstream authorities signing an old authority can be used"
        } else {
            return
        }
        throw SpireError(.authorityUnexpected, reason)
    }

    private func named(_ id: String, whenActive: String?) throws -> LocalAuthority {
        if id.isEmpty { throw SpireError(.authorityUnexpected, "no authority ID provided") }
        if let whenActive, id == active?.id { throw SpireError(.authorityUnexpected, whenActive) }
        guard let spare, spare.id == id else { throw SpireError(.authorityUnexpected, "unexpected authority ID") }
        return spare
    }
}
