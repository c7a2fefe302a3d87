// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import SPIFFE

/// What a JWT-SVID says. Times are whole Unix seconds.
package struct JWTClaims: Sendable {
    package var subject: SPIFFEID
    /// Empty strings are dropped when written.
    package var audience: [String]
    package var issuedAt: Int64
    package var expiresAt: Int64
    package var issuer = ""
    /// Empty for none.
    package var id = ""

    package init(subject: SPIFFEID, audience: [String], issuedAt: Int64, expiresAt: Int64) {
        self.subject = subject
        self.audience = audience
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    /// Members in alphabetical order, as the original writes them.
    var json: [UInt8] {
        var out = Array(#"{"aud":["#.utf8)
        for (index, value) in audience.filter({ !$0.isEmpty }).enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            JSONText.append(value, to: &out)
        }
        out += #"],"exp":\#(expiresAt),"iat":\#(issuedAt)"#.utf8
        for (name, value) in [("iss", issuer), ("jti", id)] where !value.isEmpty {
            out += #","\#(name)":"#.utf8
            JSONText.append(value, to: &out)
        }
        out += #","sub":"#.utf8
        JSONText.append(subject.description, to: &out)
        out.append(UInt8(ascii: "}"))
        return out
    }
}

/// What a WIT-SVID says. Times are whole Unix seconds.
package struct WITClaims: Sendable {
    package var subject: SPIFFEID
    /// Whose holder the token is about.
    package var key: ConfirmationKey
    package var issuedAt: Int64
    package var expiresAt: Int64
    package var issuer = ""

    package init(subject: SPIFFEID, key: ConfirmationKey, issuedAt: Int64, expiresAt: Int64) {
        self.subject = subject
        self.key = key
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }

    /// Members in alphabetical order, as the original writes them.
    var json: [UInt8] {
        var out = Array(#"{"cnf":{"jwk":"#.utf8) + key.jwk
        out += #"},"exp":\#(expiresAt),"iat":\#(issuedAt)"#.utf8
        if !issuer.isEmpty {
            out += #","iss":"#.utf8
            JSONText.append(issuer, to: &out)
        }
        out += #","sub":"#.utf8
        JSONText.append(subject.description, to: &out)
        out.append(UInt8(ascii: "}"))
        return out
    }
}

/// Writes compact JSON Web Signatures.
/// > Spec: RFC 7515 §3.1, JWT-SVID §2, WIT-SVID §2.
package struct JWSWriter: Sendable {
    /// What the tokens are, as their header tells.
    package enum TokenType: String, Sendable {
        case jwt = "JWT"
        case wit = "wit+jwt"
    }

    private let signer: any Signer
    /// `signer` where it need not be waited for.
    private let immediate: (any ImmediateSigner)?
    private let scheme: SignatureScheme
    /// Encoded header and the dot behind it: the same for every token of a key.
    private let head: [UInt8]
    /// Bytes of each number of an ECDSA signature; 0 for RSA.
    private let numberSize: Int
    package let keyID: String

    /// - Throws: `issuance.signing_failed` for a key that cannot sign tokens.
    package init(signer: any Signer, keyID: String, type tokenType: TokenType = .jwt) throws {
        guard let type = signer.publicKey.type else {
            throw SpireError(.signingFailed, "no signature scheme for this kind of key")
        }
        let algorithm: String
        switch type {
        case .ecP256: (algorithm, numberSize) = ("ES256", 32)
        case .ecP384: (algorithm, numberSize) = ("ES384", 48)
        case .rsa2048, .rsa4096: (algorithm, numberSize) = ("RS256", 0)
        }
        self.signer = signer
        immediate = signer as? any ImmediateSigner
        self.keyID = keyID
        scheme = type.signatureScheme
        var header = Array(#"{"alg":"\#(algorithm)","kid":"#.utf8)
        JSONText.append(keyID, to: &header)
        header += #","typ":"\#(tokenType.rawValue)"}"#.utf8
        head = Base64URL.encode(header) + [UInt8(ascii: ".")]
    }

    /// Signs a token.
    /// - Throws: `issuance.refused` when a relying party would not accept it; what the signer throws.
    package func token(_ claims: JWTClaims, now: Int64) async throws -> String {
        guard claims.audience.contains(where: { !$0.isEmpty }) else {
            throw SpireError(.issuanceRefused, "invalid JWT-SVID: missing audience")
        }
        guard claims.expiresAt > now else { throw SpireError(.issuanceRefused, "invalid JWT-SVID: already expired") }
        return try await signed(claims.json)
    }

    /// Signs a token that is bound to a key.
    /// - Throws: `issuance.refused` when a relying party would not accept it; what the signer throws.
    package func token(_ claims: WITClaims, now: Int64) async throws -> String {
        guard claims.expiresAt > now else { throw SpireError(.issuanceRefused, "invalid WIT-SVID: already expired") }
        return try await signed(claims.json)
    }

    private func signed(_ payload: [UInt8]) async throws -> String {
        var text = head + Base64URL.encode(payload)
        let signature: [UInt8]
        if let immediate {
            signature = try immediate.signNow(text, scheme: scheme)
        } else {
            signature = try await signer.sign(text, scheme: scheme)
        }
        let raw: [UInt8]
        do {
            raw = numberSize == 0 ? signature : try ECDSASignature.raw(der: signature, size: numberSize)
        } catch {
            throw SpireError(.signingFailed, "the key made a malformed signature: \(error)")
        }
        text.append(UInt8(ascii: "."))
        text += Base64URL.encode(raw)
        return String(decoding: text, as: UTF8.self)
    }
}

/// Base64 with the URL alphabet, without padding.
/// > Spec: RFC 4648 §5.
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count * 4 + 2) / 3)
        var at = 0
        while at < bytes.count {
            let first = bytes[at]
            let second = at + 1 < bytes.count ? bytes[at + 1] : 0
            let third = at + 2 < bytes.count ? bytes[at + 2] : 0
            out.append(alphabet[Int(first >> 2)])
            out.append(alphabet[Int((first & 3) << 4 | second >> 4)])
            if at + 1 < bytes.count { out.append(alphabet[Int((second & 15) << 2 | third >> 6)]) }
            if at + 2 < bytes.count { out.append(alphabet[Int(third & 63)]) }
            at += 3
        }
        return out
    }
}

/// JSON strings as the original's encoder escapes them.
enum JSONText {
    static func append(_ text: String, to out: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                out.append(UInt8(ascii: "\\"))
                out.append(byte)
            case UInt8(ascii: "\n"): out += #"\n"#.utf8
            case UInt8(ascii: "\r"): out += #"\r"#.utf8
            case UInt8(ascii: "\t"): out += #"\t"#.utf8
            case 0..<0x20, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), 0x7f:
                if byte == 0x7f {
                    out.append(byte)
                } else {
                    out += #"\u00"#.utf8
                    out.append(digits[Int(byte >> 4)])
                    out.append(digits[Int(byte & 15)])
                }
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
