// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials

/// The nine signature algorithms of JWT-SVIDs.
/// > Spec: JWT-SVID §2.1; RFC 7518 §3.
public enum JWSAlgorithm: String, Sendable, Hashable, CaseIterable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
}

extension PublicKey {
    /// Whether `signature` is this key's signature of `message`. `false` too when the algorithm is not one of this key.
    /// - Parameter signature: As in a JWS: for ECDSA both integers in full width, one after the other.
    public func isValidSignature(_ signature: [UInt8], for message: [UInt8], algorithm: JWSAlgorithm) -> Bool {
        switch (backing, algorithm) {
        case (.p256(let key), .es256):
            guard let signature = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: SHA256.hash(data: message))
        case (.p384(let key), .es384):
            guard let signature = try? P384.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: SHA384.hash(data: message))
        case (.p521(let key), .es512):
            guard let signature = try? P521.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: SHA512.hash(data: message))
        case (.rsa(let key), .rs256):
            return Self.check(key, signature, SHA256.hash(data: message), .insecurePKCS1v1_5)
        case (.rsa(let key), .rs384):
            return Self.check(key, signature, SHA384.hash(data: message), .insecurePKCS1v1_5)
        case (.rsa(let key), .rs512):
            return Self.check(key, signature, SHA512.hash(data: message), .insecurePKCS1v1_5)
        case (.rsa(let key), .ps256):
            return Self.check(key, signature, SHA256.hash(data: message), .PSS)
        case (.rsa(let key), .ps384):
            return Self.check(key, signature, SHA384.hash(data: message), .PSS)
        case (.rsa(let key), .ps512):
            return Self.check(key, signature, SHA512.hash(data: message), .PSS)
        default:
            return false
        }
    }

    private static func check(
        _ key: _RSA.Signing.PublicKey, _ signature: [UInt8], _ digest: some Digest, _ padding: _RSA.Signing.Padding
    ) -> Bool {
        key.isValidSignature(.init(rawRepresentation: signature), for: digest, padding: padding)
    }
}
