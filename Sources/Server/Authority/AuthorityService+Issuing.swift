// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
package import Issuance
package import SPIFFE
import Synchronization
import Telemetry

// Signing takes a snapshot of the active authorities and needs nothing else of the service, so many tasks may sign at
// once.
extension AuthorityService: SVIDIssuer {
    package func workloadX509SVID(
        id: SPIFFEID, publicKey: PublicKeyInfo, dnsNames: [String], ttl: Int32, subject: [UInt8]?
    ) async throws -> IssuedX509SVID {
        var request = X509CA.Request(
            id: id, publicKey: publicKey, dnsNames: dnsNames,
            ttl: ttl > 0 ? .seconds(ttl) : settings.defaultX509SVIDTTL)
        if let subject {
            let name = try DistinguishedName(der: subject)
            if !name.isEmpty { request.subject = name }
        }
        return try await sign(request, "workload")
    }

    package func agentX509SVID(id: SPIFFEID, publicKey: PublicKeyInfo) async throws -> IssuedX509SVID {
        try await sign(
            X509CA.Request(id: id, publicKey: publicKey, ttl: settings.agentTTL ?? settings.defaultX509SVIDTTL),
            "agent")
    }

    package func serverX509SVID(publicKey: PublicKeyInfo) async throws -> IssuedX509SVID {
        let id = try SPIFFEID(settings.trustDomain, path: "/spire/server")
        return try await sign(
            X509CA.Request(id: id, publicKey: publicKey, ttl: settings.defaultX509SVIDTTL), "server")
    }

    private func sign(_ request: X509CA.Request, _ whose: String) async throws -> IssuedX509SVID {
        guard request.id.isMember(of: settings.trustDomain) else {
            throw SpireError(
                .issuanceRefused, "\"\(request.id)\" is not a member of trust domain \"\(settings.trustDomain)\"")
        }
        let authority = try activeX509()
        do {
            let signed = try await authority.signSVID(request, now: time.now, random: random)
            meters.x509SVIDs.add()
            return IssuedX509SVID(
                chain: [signed.der] + authority.upstreamChain, id: request.id,
                expiresAt: Date(timeIntervalSince1970: Double(signed.notAfter)), serialNumber: signed.serialNumber)
        } catch let error as SpireError where error.code == .issuanceRefused {
            throw error.while("invalid \(whose) X509-SVID")
        }
    }

    package func downstreamX509CA(publicKey: PublicKeyInfo, ttl: Int32) async throws -> [[UInt8]] {
        let authority = try activeX509()
        let signed = try await authority.signDownstreamCA(
            settings.trustDomain, publicKey: publicKey, ttl: ttl > 0 ? .seconds(ttl) : settings.caTTL, now: time.now,
            random: random)
        meters.x509CAs.add()
        return [signed.der] + authority.upstreamChain
    }

    package func jwtSVID(
        id: SPIFFEID, audience: [String], ttl: Int32, includeJTI: Bool
    ) async throws -> IssuedToken {
        guard !settings.disableJWTSVIDs else { throw SpireError(.jwtDisabled, "JWT functionality is disabled") }
        guard id.isMember(of: settings.trustDomain) else {
            throw SpireError(.issuanceRefused, "\"\(id)\" is not a member of trust domain \"\(settings.trustDomain)\"")
        }
        guard let jwt = signing.withLock({ $0 }).jwt else {
            throw SpireError(.authorityUnavailable, "JWT key is not available for signing")
        }
        let now = self.now
        let lifetime = ttl > 0 ? Int64(ttl) : Int64(settings.defaultJWTSVIDTTL.inSeconds)
        var claims = JWTClaims(
            subject: id, audience: audience, issuedAt: now, expiresAt: min(now + lifetime, jwt.notAfter))
        claims.issuer = settings.jwtIssuer
        if includeJTI { claims.id = Self.newTokenID(random) }
        let token = try await jwt.writer.token(claims, now: now)
        meters.jwtSVIDs.add()
        return IssuedToken(
            token: token, id: id, issuedAt: Date(timeIntervalSince1970: Double(claims.issuedAt)),
            expiresAt: Date(timeIntervalSince1970: Double(claims.expiresAt)))
    }

    package func witSVID(id: SPIFFEID, key: ConfirmationKey, ttl: Int32) async throws -> IssuedToken {
        guard id.isMember(of: settings.trustDomain) else {
            throw SpireError(.issuanceRefused, "\"\(id)\" is not a member of trust domain \"\(settings.trustDomain)\"")
        }
        guard let wit = signing.withLock({ $0 }).wit else {
            throw SpireError(.authorityUnavailable, "WIT key is not available for signing")
        }
        let now = self.now
        let lifetime = ttl > 0 ? Int64(ttl) : Self.defaultWITSVIDTTL
        var claims = WITClaims(
            subject: id, key: key, issuedAt: now, expiresAt: min(now + lifetime, wit.notAfter))
        claims.issuer = settings.witIssuer
        let token = try await wit.writer.token(claims, now: now)
        return IssuedToken(
            token: token, id: id, issuedAt: Date(timeIntervalSince1970: Double(claims.issuedAt)),
            expiresAt: Date(timeIntervalSince1970: Double(claims.expiresAt)))
    }

    /// Seconds; the original has no setting for it.
    private static var defaultWITSVIDTTL: Int64 { 3600 }

    private func activeX509() throws -> X509CA {
        guard let authority = signing.withLock({ $0 }).x509 else {
            throw SpireError(.authorityUnavailable, "X509 CA is not available for signing")
        }
        return authority
    }

    /// The 16 bytes of a random UUID.
    private static func newTokenID(_ random: any RandomSource) -> String {
        var bytes = random.bytes(16)
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        return String(decoding: Base64URL.encode(bytes), as: UTF8.self)
    }
}
