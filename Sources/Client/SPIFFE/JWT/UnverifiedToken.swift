// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// A token whose form is right and whose signature nobody has checked.
struct UnverifiedToken {
    let jws: JWS
    let id: SPIFFEID
    let claims: JWTClaims

    /// The order of these checks decides which message a caller sees.
    init(_ token: String) throws(SPIFFEError) {
        jws = try JWS(token)
        guard !jws.keyID.isEmpty else { throw SPIFFEError(.invalidJWTSVID, "token header missing key id") }
        claims = try JWTClaims(jws.payload)
        do {
            id = try SPIFFEID(claims.subject)
        } catch {
            throw SPIFFEError(.invalidJWTSVID, "token has in invalid subject claim: \(error.message)")
        }
    }
}

/// The registered claims a JWT-SVID is judged by.
/// > Spec: JWT-SVID §3; RFC 7519 §4.1.
struct JWTClaims {
    let subject: String
    let audience: [String]
    let expiry: Date
    let notBefore: Date?
    let issuedAt: Date?

    init(_ claims: JSONObject) throws(SPIFFEError) {
        let times = (
            try Self.time(claims, "exp"), try Self.time(claims, "nbf"), try Self.time(claims, "iat")
        )
        audience = try Self.audience(claims)
        switch claims["sub"] {
        case .string(let subject)? where !subject.isEmpty: self.subject = subject
        case nil, .null?, .string?: throw SPIFFEError(.invalidJWTSVID, "token missing subject claim")
        default: throw Self.wrongType("sub")
        }
        guard let expiry = times.0 else { throw SPIFFEError(.invalidJWTSVID, "token missing exp claim") }
        self.expiry = expiry
        notBefore = times.1
        issuedAt = times.2
    }

    /// Returns the token's audience once it is for one of `expected` and the times fit.
    func check(audience expected: [String], at time: Date, leeway: Duration) throws(SPIFFEError) -> [String] {
        // Byte by byte: to a `String` two spellings of one letter are equal.
        guard audience.contains(where: { name in expected.contains { $0.utf8.elementsEqual(name.utf8) } }) else {
            throw SPIFFEError(
                .invalidJWTSVID,
                "expected audience in \(Quoted(list: expected)) (audience=\(Quoted(list: audience)))")
        }
        let slack = Double(leeway.components.seconds) + Double(leeway.components.attoseconds) * 1e-18
        if let notBefore, time.addingTimeInterval(slack) < notBefore {
            throw SPIFFEError(.invalidJWTSVID, "validation failed, token not valid yet (nbf)")
        }
        if time.addingTimeInterval(-slack) > expiry {
            throw SPIFFEError(.invalidJWTSVID, "token has expired")
        }
        if let issuedAt, time.addingTimeInterval(slack) < issuedAt {
            throw SPIFFEError(.invalidJWTSVID, "validation failed, token issued in the future (iat)")
        }
        return audience
    }

    private static func audience(_ claims: JSONObject) throws(SPIFFEError) -> [String] {
        switch claims["aud"] {
        case nil, .null?: return []
        case .string(let one)?: return [one]
        case .array(let many)?:
            var names: [String] = []
            for value in many {
                guard let name = value.string else { throw wrongType("aud") }
                names.append(name)
            }
            return names
        default: throw wrongType("aud")
        }
    }

    private static func time(_ claims: JSONObject, _ name: String) throws(SPIFFEError) -> Date? {
        switch claims[name] {
        case nil, .null?: return nil
        case let value?:
            // Fractions are dropped; seconds beyond 2^53 cannot be told apart and no calendar reaches them.
            guard let seconds = value.double, seconds.magnitude < 0x1p53 else { throw wrongType(name) }
            return Date(timeIntervalSince1970: seconds.rounded(.towardZero))
        }
    }

    private static func wrongType(_ name: String) -> SPIFFEError {
        SPIFFEError(.invalidJWTSVID, "unable to parse JWT token: claim \(name) has an invalid value")
    }
}
