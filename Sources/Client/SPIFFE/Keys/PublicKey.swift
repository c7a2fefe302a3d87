// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials
public import X509

/// A public key that verifies JWT-SVIDs: ECDSA on P-256, P-384 or P-521, or RSA of at least 2,048 bits.
public struct PublicKey: Sendable, Hashable {
    enum Backing: Sendable {
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey)
    }

    /// What kind of key it is.
    public enum Kind: Sendable, Hashable {
        case p256, p384, p521
        /// With its size in bits.
        case rsa(Int)
    }

    let backing: Backing
    /// DER SubjectPublicKeyInfo (PKIX).
    public let spki: [UInt8]

    init(_ backing: Backing) {
        self.backing = backing
        spki =
            switch backing {
            case .p256(let key): Array(key.derRepresentation)
            case .p384(let key): Array(key.derRepresentation)
            case .p521(let key): Array(key.derRepresentation)
            case .rsa(let key): Array(key.derRepresentation)
            }
    }

    /// Parses a DER SubjectPublicKeyInfo.
    /// - Throws: `invalid_key` when it is malformed, of another kind, or RSA of less than 2,048 bits.
    public init(spki: [UInt8]) throws {
        guard spki.count <= 8192 else { throw SPIFFEError(.invalidKey, "public key is too large") }
        if let key = try? P256.Signing.PublicKey(derRepresentation: spki) {
            self.init(.p256(key))
        } else if let key = try? P384.Signing.PublicKey(derRepresentation: spki) {
            self.init(.p384(key))
        } else if let key = try? P521.Signing.PublicKey(derRepresentation: spki) {
            self.init(.p521(key))
        } else if let key = try? _RSA.Signing.PublicKey(derRepresentation: spki) {
            self.init(.rsa(key))
        } else {
            throw SPIFFEError(.invalidKey, "public key is malformed or of an unsupported kind")
        }
    }

    /// The key of a certificate.
    /// - Throws: `invalid_key` for kinds that cannot sign JWT-SVIDs.
    public init(_ key: Certificate.PublicKey) throws {
        if let key = P256.Signing.PublicKey(key) {
            self.init(.p256(key))
        } else if let key = P384.Signing.PublicKey(key) {
            self.init(.p384(key))
        } else if let key = P521.Signing.PublicKey(key) {
            self.init(.p521(key))
        } else if let key = _RSA.Signing.PublicKey(key) {
            self.init(.rsa(key))
        } else {
            throw SPIFFEError(.invalidKey, "public key is of an unsupported kind")
        }
    }

    public var kind: Kind {
        switch backing {
        case .p256: .p256
        case .p384: .p384
        case .p521: .p521
        case .rsa(let key): .rsa(key.keySizeInBits)
        }
    }

    public static func == (a: PublicKey, b: PublicKey) -> Bool { a.spki == b.spki }
    public func hash(into hasher: inout Hasher) { hasher.combine(spki) }
}
