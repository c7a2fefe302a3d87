// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging
import SPIFFE

/// The local authorities of a kind as an operator sees them.
package struct LocalAuthorityStates: Sendable, Hashable {
    package let active: AuthorityState
    package let prepared: AuthorityState?
    package let old: AuthorityState?
}

// What an operator may ask for through the LocalAuthority service. All keep the order of the rotation loop: each waits
// for a change that is under way.
extension AuthorityService {
    /// - Throws: `authority.unavailable`; `authority.jwt_disabled`.
    package func states(_ kind: AuthorityKind) throws -> LocalAuthorityStates {
        try requireEnabled(kind)
        let machine = machine(kind)
        let active = try machine.requireActive()
        return LocalAuthorityStates(
            active: active.state,
            prepared: machine.spare.flatMap { $0.status == .prepared ? $0.state : nil },
            old: machine.spare.flatMap { $0.status == .old ? $0.state : nil })
    }

    /// Prepares a new authority now, in place of one that is prepared already.
    /// - Throws: `authority.unavailable`; `authority.preparation_failed`.
    package func prepareAuthority(_ kind: AuthorityKind) async throws -> AuthorityState {
        try requireEnabled(kind)
        return try await turn.take {
            _ = try machine(kind).requireActive()
            do {
                try await prepare(kind, machine(kind).preparationSlot)
            } catch let error as CancellationError {
                throw error
            } catch {
                throw SpireError(
                    .authorityPreparation,
                    "failed to prepare \(kind == .x509 ? "X.509" : "JWT") authority: \(error)", cause: error)
            }
            guard let spare = machine(kind).spare else {
                throw SpireError(.authorityPreparation, "current slot does not contain authority ID")
            }
            return spare.state
        }
    }

    /// Makes the prepared authority the active one now.
    /// - Throws: `authority.unexpected`, `authority.wrong_status`, `authority.unavailable`.
    package func activateAuthority(_ kind: AuthorityKind, id: String) async throws -> AuthorityState {
        try requireEnabled(kind)
        return try await turn.take {
            _ = try machine(kind).requireActive()
            let authority = try machine(kind).checkActivation(id: id)
            try await activate(kind, authority)
            return authority.state
        }
    }

    /// Marks an old authority as no longer to be trusted, so that everybody replaces what it signed.
    /// - Throws: `authority.unexpected`, `failed_precondition` under an upstream authority, what the datastore throws.
    package func taintX509Authority(id: String) async throws -> AuthorityState {
        guard !source.isUpstream else {
            throw SpireError(
                .failedPrecondition, "local authority can't be tainted if there is an upstream authority")
        }
        return try await turn.take {
            _ = try machine(.x509).requireActive()
            try machine(.x509).checkTaint(id: id)
            do {
                try await store.taintX509Authority(trustDomainID: trustDomainID, subjectKeyID: id)
            } catch {
                throw Self.failed("taint X.509 authority", error)
            }
            await refreshBundleIfPossible()
            taintedX509Authorities.update { _ = $0.insert(id) }
            logger.info("X.509 authority tainted successfully", metadata: [LogKey.localAuthorityID: "\(id)"])
            return machine(.x509).spare?.state ?? AuthorityState(authorityID: id, expiresAt: 0)
        }
    }

    /// Removes an old, tainted authority from the trust bundle.
    /// - Throws: `authority.unexpected`, `failed_precondition` under an upstream authority, what the datastore throws.
    package func revokeX509Authority(id: String) async throws -> AuthorityState {
        guard !source.isUpstream else {
            throw SpireError(
                .failedPrecondition, "local authority can't be revoked if there is an upstream authority")
        }
        return try await turn.take {
            _ = try machine(.x509).requireActive()
            try machine(.x509).checkX509Revocation(id: id)
            do {
                try await store.revokeX509Authority(trustDomainID: trustDomainID, subjectKeyID: id)
            } catch {
                throw Self.failed("revoke X.509 authority", error)
            }
            await refreshBundleIfPossible()
            logger.info("X.509 authority revoked successfully", metadata: [LogKey.localAuthorityID: "\(id)"])
            return machine(.x509).spare?.state ?? AuthorityState(authorityID: id, expiresAt: 0)
        }
    }

    /// Marks an old JWT key as no longer to be trusted.
    /// - Throws: `authority.unexpected`, `authority.jwt_disabled`, what the datastore throws.
    package func taintJWTAuthority(id: String) async throws -> AuthorityState {
        try requireEnabled(.jwt)
        return try await turn.take {
            _ = try machine(.jwt).requireActive()
            try machine(.jwt).checkTaint(id: id)
            do {
                let key = try await store.taintJWTAuthority(trustDomainID: trustDomainID, keyID: id)
                await refreshBundleIfPossible()
                logger.info("JWT authority tainted successfully", metadata: [LogKey.localAuthorityID: "\(id)"])
                return AuthorityState(authorityID: key.keyID, expiresAt: key.expiresAt)
            } catch {
                throw Self.failed("taint JWT authority", error)
            }
        }
    }

    /// Removes a tainted JWT key from the trust bundle; it may be another server's.
    /// - Throws: `authority.unexpected`, `authority.jwt_disabled`, what the datastore throws.
    package func revokeJWTAuthority(id: String) async throws -> AuthorityState {
        try requireEnabled(.jwt)
        return try await turn.take {
            _ = try machine(.jwt).requireActive()
            do {
                try await refreshBundle()
            } catch {
                throw Self.failed("revoke JWT authority", error)
            }
            let published = bundle.value?.jwtAuthorities.map(\.keyID) ?? []
            try machine(.jwt).checkJWTRevocation(id: id, published: published)
            do {
                let key = try await store.revokeJWTAuthority(trustDomainID: trustDomainID, keyID: id)
                await refreshBundleIfPossible()
                logger.info("JWT authority revoked successfully", metadata: [LogKey.localAuthorityID: "\(id)"])
                return AuthorityState(authorityID: key.keyID, expiresAt: key.expiresAt)
            } catch {
                throw Self.failed("revoke JWT authority", error)
            }
        }
    }

    var trustDomainID: String { settings.trustDomain.id.description }

    /// What was asked for has been done and stored: that it cannot be read back is no failure of it.
    func refreshBundleIfPossible() async {
        do {
            try await refreshBundle()
        } catch {
            logger.error("Could not read the trust bundle", metadata: [LogKey.error: "\(error)"])
        }
    }

    static func failed(_ what: String, _ error: any Error) -> any Error {
        error is CancellationError ? error : SpireError(.authorityChange, "failed to \(what)", cause: error)
    }

    func refreshBundle() async throws { bundle.set(try await store.bundle(trustDomainID: trustDomainID)) }

    private func requireEnabled(_ kind: AuthorityKind) throws {
        if kind == .jwt, settings.disableJWTSVIDs {
            throw SpireError(.jwtDisabled, "JWT functionality is disabled")
        }
        if kind == .wit { throw SpireError(.witDisabled, "WIT-SVID functionality is not yet implemented") }
    }
}
