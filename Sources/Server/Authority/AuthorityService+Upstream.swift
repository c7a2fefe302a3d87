// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging

// What an operator may ask for about the authority above this server's.
extension AuthorityService {
    /// Marks the root of an authority above as no longer to be trusted.
    /// - Parameter subjectKeyID: Lower-case hex.
    /// - Throws: `failed_precondition` without an authority above, `authority.unexpected`, `authority.change_failed`.
    package func taintX509UpstreamAuthority(subjectKeyID: String) async throws {
        try requireUpstream()
        try await turn.take {
            do {
                try machine(.x509).checkUpstream(subjectKeyID: subjectKeyID)
            } catch let error as SpireError {
                throw error.while("provided subject key id is not valid")
            }
            do {
                try await store.taintX509Authority(trustDomainID: trustDomainID, subjectKeyID: subjectKeyID)
            } catch {
                throw Self.failed("taint upstream authority", error)
            }
            await refreshBundleIfPossible()
            taintedX509Authorities.update { _ = $0.insert(subjectKeyID) }
            logger.info(
                "X.509 upstream authority tainted successfully", metadata: ["subject_key_id": "\(subjectKeyID)"])
        }
    }

    /// Removes the tainted root of an authority above from the trust bundle.
    /// - Parameter subjectKeyID: Lower-case hex.
    /// - Throws: `failed_precondition` without an authority above, `authority.unexpected`, `authority.change_failed`.
    package func revokeX509UpstreamAuthority(subjectKeyID: String) async throws {
        try requireUpstream()
        try await turn.take {
            do {
                try machine(.x509).checkUpstream(subjectKeyID: subjectKeyID)
            } catch let error as SpireError {
                throw error.while("invalid subject key ID")
            }
            do {
                try await store.revokeX509Authority(trustDomainID: trustDomainID, subjectKeyID: subjectKeyID)
            } catch {
                throw Self.failed("revoke X.509 upstream authority", error)
            }
            await refreshBundleIfPossible()
            logger.info(
                "X.509 upstream authority revoked successfully", metadata: ["subject_key_id": "\(subjectKeyID)"])
        }
    }

    private func requireUpstream() throws {
        guard source.isUpstream else {
            throw SpireError(.failedPrecondition, "upstream authority is not configured")
        }
    }
}
