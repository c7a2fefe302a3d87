// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials

/// A JSON identity document: a signed token for named audiences.
///
/// ``parseAndVerify(_:audience:bundles:at:leeway:)`` is for tokens others present; ``parseInsecure(_:audience:at:leeway:)``
/// for tokens that came from a trusted place, such as the Workload API.
/// > Spec: JWT-SVID.
public struct JWTSVID: Sendable, Hashable {
    /// The identity, out of the `sub` claim.
    public let id: SPIFFEID
    /// Who may accept the token; never empty.
    public let audience: [String]
    /// When it expires, out of the `exp` claim.
    public let expiry: Date
    /// When it was issued, if it says so.
    public let issuedAt: Date?
    /// Every claim, as it was written.
    public let claims: JSONObject
    /// The key that signed it, by name.
    public let keyID: String
    /// What the operator tells about the use of this identity; empty when nothing.
    public let hint: String
    /// The compact form, to be sent as a bearer token. Handle with care: who has it may use it.
    public let token: String

    init(_ token: String, _ unverified: UnverifiedToken, audience: [String], hint: String) {
        id = unverified.id
        self.audience = audience
        expiry = unverified.claims.expiry
        issuedAt = unverified.claims.issuedAt
        claims = unverified.jws.payload
        keyID = unverified.jws.keyID
        self.hint = hint
        self.token = token
    }
}

extension JWTSVID: CustomStringConvertible, CustomDebugStringConvertible {
    /// Names the identity, never the token.
    public var description: String { "JWT-SVID of \(id)" }
    public var debugDescription: String { description }
}

extension JWTSVID {
    /// How far apart the clocks of issuer and validator may be, unless told otherwise.
    public static let defaultLeeway = Duration.seconds(60)

    /// Verifies a token somebody presents.
    /// - Parameters:
    ///   - token: In compact form, at most 128 KiB.
    ///   - audience: Names of this service. The token must be for at least one of them.
    ///   - bundles: Where to find the keys of the token's trust domain.
    ///   - time: The time at which it must be valid.
    ///   - leeway: How far the clocks may differ.
    /// - Throws: `invalid_jwt_svid`; what `bundles` throws when it does not know the trust domain is replaced by the same.
    /// > Spec: JWT-SVID §4.
    public static func parseAndVerify(
        _ token: String, audience: [String], bundles: some JWTBundleSource, at time: Date,
        leeway: Duration = defaultLeeway
    ) throws -> JWTSVID {
        let unverified = try UnverifiedToken(token)
        let id = unverified.id
        guard let bundle = try? bundles.jwtBundle(for: id.trustDomain) else {
            throw SPIFFEError(.invalidJWTSVID, "no keys found for trust domain \(Quoted(id.trustDomain.name))")
        }
        let jws = unverified.jws
        guard let key = bundle.authority(keyID: jws.keyID) else {
            throw SPIFFEError(
                .invalidJWTSVID,
                "public key \(Quoted(jws.keyID)) not found in trust domain \(Quoted(id.trustDomain.name))")
        }
        guard key.isValidSignature(jws.signature, for: jws.signed, algorithm: jws.algorithm) else {
            throw SPIFFEError(.invalidJWTSVID, "signature verification failed")
        }
        let named = try unverified.claims.check(audience: audience, at: time, leeway: leeway)
        return JWTSVID(token, unverified, audience: named, hint: "")
    }

    /// Reads a token without checking its signature. Everything else is checked.
    ///
    /// Only for tokens from a trusted place: anybody can write such a token.
    /// - Parameter audience: Names of which the token must have at least one; empty when any will do.
    /// - Throws: `invalid_jwt_svid`.
    public static func parseInsecure(
        _ token: String, audience: [String] = [], hint: String = "", at time: Date, leeway: Duration = defaultLeeway
    ) throws -> JWTSVID {
        let unverified = try UnverifiedToken(token)
        let named = try unverified.claims.check(
            audience: audience.isEmpty ? unverified.claims.audience : audience, at: time, leeway: leeway)
        return JWTSVID(token, unverified, audience: named, hint: hint)
    }
}
