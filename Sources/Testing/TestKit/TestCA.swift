// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
import Groundwork
package import Issuance
package import SPIFFE

/// A throwaway authority for tests: a root or an intermediate that signs identities of its trust domain with the same
/// code the server signs with.
package struct TestCA: Sendable {
    package let trustDomain: TrustDomain
    package let key: LocalKey
    /// DER of this authority's own certificate.
    package let certificate: [UInt8]
    /// DER of the root its identities are verified against.
    package let root: [UInt8]
    private let authority: X509CA

    private init(trustDomain: TrustDomain, key: LocalKey, root: [UInt8], authority: X509CA) {
        self.trustDomain = trustDomain
        self.key = key
        self.certificate = authority.certificate.der
        self.root = root
        self.authority = authority
    }

    /// Makes a self-signed root.
    package static func root(
        _ trustDomain: String = "example.org", type: KeyType = .ecP256, ttl: Duration = .seconds(24 * 3600),
        now: Date = SystemTime().now
    ) async throws -> TestCA {
        let trustDomain = try TrustDomain(trustDomain)
        let key = try LocalKey.generate(type)
        let authority = try await X509CA.selfSigned(
            signer: key, trustDomain: trustDomain, subject: .authority, ttl: ttl, now: now, random: SystemRandom())
        return TestCA(trustDomain: trustDomain, key: key, root: authority.certificate.der, authority: authority)
    }

    /// Makes an intermediate below this authority; its identities carry it in their chain.
    package func intermediate(
        type: KeyType = .ecP256, ttl: Duration = .seconds(12 * 3600), now: Date = SystemTime().now
    ) async throws -> TestCA {
        let key = try LocalKey.generate(type)
        let signed = try await authority.signDownstreamCA(
            trustDomain, publicKey: key.publicKey, ttl: ttl, now: now, random: SystemRandom())
        let below = try X509CA(
            signer: key, certificate: CertificateSummary(signed.der),
            upstreamChain: [signed.der] + authority.upstreamChain)
        return TestCA(trustDomain: trustDomain, key: key, root: root, authority: below)
    }

    /// Makes a key and a certificate for it.
    ///
    /// - Parameter path: Of the SPIFFE ID, such as `/spire/server` or `/web`.
    package func svid(
        _ path: String, type: KeyType = .ecP256, dnsNames: [String] = [], ttl: Duration = .seconds(3600),
        now: Date = SystemTime().now
    ) async throws -> TestSVID {
        let key = try LocalKey.generate(type)
        return try await certify(key, path, dnsNames: dnsNames, ttl: ttl, now: now)
    }

    /// Makes a certificate for a key that is there.
    package func certify(
        _ key: LocalKey, _ path: String, dnsNames: [String] = [], ttl: Duration = .seconds(3600),
        now: Date = SystemTime().now
    ) async throws -> TestSVID {
        let id = try SPIFFEID(trustDomain, path: path)
        let chain = try await certify(key.publicKey, id, dnsNames: dnsNames, ttl: ttl, now: now)
        return TestSVID(id: id, chain: chain, key: key)
    }

    /// Makes a certificate chain for somebody else's public key, such as that of a request.
    package func certify(
        _ publicKey: PublicKeyInfo, _ id: SPIFFEID, dnsNames: [String] = [], ttl: Duration = .seconds(3600),
        now: Date = SystemTime().now
    ) async throws -> [[UInt8]] {
        let signed = try await authority.signSVID(
            X509CA.Request(id: id, publicKey: publicKey, dnsNames: dnsNames, ttl: ttl), now: now,
            random: SystemRandom())
        return [signed.der] + authority.upstreamChain
    }

    /// Makes a JWT-SVID signed with this authority's key under `keyID`.
    package func token(
        _ path: String, audience: [String], keyID: String = "test-key", ttl: Duration = .seconds(300),
        now: Date = SystemTime().now
    ) async throws -> String {
        let seconds = Int64(now.timeIntervalSince1970)
        let claims = JWTClaims(
            subject: try SPIFFEID(trustDomain, path: path), audience: audience, issuedAt: seconds,
            expiresAt: seconds + Int64(ttl.inSeconds))
        return try await JWSWriter(signer: key, keyID: keyID).token(claims, now: seconds)
    }
}

/// An identity with its private key, as tests hand it around.
package struct TestSVID: Sendable {
    package let id: SPIFFEID
    /// DER, leaf first, without the root.
    package let chain: [[UInt8]]
    package let key: LocalKey

    package init(id: SPIFFEID, chain: [[UInt8]], key: LocalKey) {
        self.id = id
        self.chain = chain
        self.key = key
    }

    /// Unencrypted PKCS #8 DER.
    package var pkcs8: [UInt8] { key.pkcs8.reveal { $0 } }
    /// What the leaf says.
    package var leaf: CertificateSummary { get throws { try CertificateSummary(chain.first ?? []) } }
}
