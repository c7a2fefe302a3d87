// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Issuance
package import SPIFFE

/// A certificate chain just signed.
package struct IssuedX509SVID: Sendable {
    /// DER, leaf first, without the root.
    package let chain: [[UInt8]]
    package let id: SPIFFEID
    package let expiresAt: Date
    /// Of the leaf, decimal as the datastore keeps it.
    package let serialNumber: String

    package init(chain: [[UInt8]], id: SPIFFEID, expiresAt: Date, serialNumber: String) {
        self.chain = chain
        self.id = id
        self.expiresAt = expiresAt
        self.serialNumber = serialNumber
    }
}

/// A JWT-SVID or WIT-SVID just signed.
package struct IssuedToken: Sendable {
    package let token: String
    package let id: SPIFFEID
    package let issuedAt: Date
    package let expiresAt: Date

    package init(token: String, id: SPIFFEID, issuedAt: Date, expiresAt: Date) {
        self.token = token
        self.id = id
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }
}

/// Signs identities with the server's active authorities. The identity is the caller's decision, never the CSR's.
package protocol SVIDIssuer: Sendable {
    /// - Parameters:
    ///   - ttl: Seconds; 0 means the server's default. Capped to the authority's remaining lifetime.
    ///   - subject: DER of the subject name to use instead of `C=US, O=SPIRE`, only for minted certificates.
    func workloadX509SVID(
        id: SPIFFEID, publicKey: PublicKeyInfo, dnsNames: [String], ttl: Int32, subject: [UInt8]?
    ) async throws -> IssuedX509SVID
    func agentX509SVID(id: SPIFFEID, publicKey: PublicKeyInfo) async throws -> IssuedX509SVID
    func serverX509SVID(publicKey: PublicKeyInfo) async throws -> IssuedX509SVID
    /// Signs an intermediate CA for a downstream server. - Returns: the chain, new CA first.
    func downstreamX509CA(publicKey: PublicKeyInfo, ttl: Int32) async throws -> [[UInt8]]
    /// - Parameter ttl: Seconds; 0 means the server's default. Capped to the signing key's lifetime.
    func jwtSVID(id: SPIFFEID, audience: [String], ttl: Int32, includeJTI: Bool) async throws -> IssuedToken
    /// Signs a token that is bound to `key`.
    /// - Parameter ttl: Seconds; 0 means an hour. Capped to the signing key's lifetime.
    func witSVID(id: SPIFFEID, key: ConfirmationKey, ttl: Int32) async throws -> IssuedToken
}

/// Where the state of one local authority slot is told to the LocalAuthority service.
package struct AuthorityState: Sendable, Hashable {
    package let authorityID: String
    /// Unix seconds.
    package let expiresAt: Int64
    package let upstreamAuthoritySubjectKeyID: String
    package init(authorityID: String, expiresAt: Int64, upstreamAuthoritySubjectKeyID: String = "") {
        self.authorityID = authorityID
        self.expiresAt = expiresAt
        self.upstreamAuthoritySubjectKeyID = upstreamAuthoritySubjectKeyID
    }
}
