// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials
import Groundwork

/// A public key that can check signatures, read once from its SubjectPublicKeyInfo.
package struct SubjectPublicKey: Sendable {
    enum Backing: Sendable {
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case rsa(_RSA.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
    }

    let backing: Backing
    package let info: PublicKeyInfo

    static let p256Prefix: [UInt8] = [0x30, 0x59, 0x30, 0x13] + OID.ecPublicKey + OID.p256 + [3, 0x42, 0]
    static let p384Prefix: [UInt8] = [0x30, 0x76, 0x30, 0x10] + OID.ecPublicKey + OID.p384 + [3, 0x62, 0]

    /// Reads a DER SubjectPublicKeyInfo: P-256, P-384, P-521, Ed25519, RSA of 1024 to 8192 bits.
    ///
    /// Points are checked to be on their curve.
    /// - Throws: `key_malformed`.
    /// > Spec: RFC 5280 §4.1.2.7, RFC 5480, RFC 3279 §2.3.1, RFC 8410.
    package init(spki: [UInt8]) throws {
        do {
            try self.init(checking: spki)
        } catch let error as SpireError {
            throw error
        } catch {
            throw SpireError(.keyMalformed, "malformed public key: \(error)")
        }
    }

    private init(checking spki: [UInt8]) throws {
        guard spki.count <= 4096 else { throw DERError("too large") }
        // Nearly every key is P-256: one comparison instead of a walk.
        if spki.count == 91, spki.starts(with: Self.p256Prefix) {
            guard let key = try? P256.Signing.PublicKey(x963Representation: spki[26...]) else {
                throw DERError("point is not on the curve")
            }
            (backing, info) = (.p256(key), PublicKeyInfo(spki: spki, type: .ecP256))
            return
        }
        var outer = DERReader(spki)
        var content = try outer.enter(DER.sequence)
        try outer.finish()
        var algorithm = try content.enter(DER.sequence)
        let identifier = algorithm.whole(try algorithm.next(DER.objectID))
        let bits = try content.octets()
        try content.finish()
        if identifier.elementsEqual(OID.ecPublicKey) {
            let curve = algorithm.whole(try algorithm.next(DER.objectID))
            guard bits.first == 4 else { throw DERError("point is not in uncompressed form") }
            if curve.elementsEqual(OID.p384), let key = try? P384.Signing.PublicKey(x963Representation: bits) {
                (backing, info) = (.p384(key), PublicKeyInfo(spki: spki, type: .ecP384))
            } else if curve.elementsEqual(OID.p521), let key = try? P521.Signing.PublicKey(x963Representation: bits) {
                (backing, info) = (.p521(key), PublicKeyInfo(spki: spki, type: nil))
            } else if curve.elementsEqual(OID.p256), let key = try? P256.Signing.PublicKey(x963Representation: bits) {
                (backing, info) = (.p256(key), PublicKeyInfo(spki: spki, type: .ecP256))
            } else {
                throw DERError("unsupported curve or point not on it")
            }
        } else if identifier.elementsEqual(OID.rsa) {
            guard let key = try? _RSA.Signing.PublicKey(unsafeDERRepresentation: spki),
                (1024...8192).contains(key.keySizeInBits)
            else { throw DERError("unsupported RSA key") }
            let type: KeyType? = key.keySizeInBits == 2048 ? .rsa2048 : key.keySizeInBits == 4096 ? .rsa4096 : nil
            (backing, info) = (.rsa(key), PublicKeyInfo(spki: spki, type: type))
        } else if identifier.elementsEqual(OID.ed25519) {
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bits) else {
                throw DERError("bad Ed25519 key")
            }
            (backing, info) = (.ed25519(key), PublicKeyInfo(spki: spki, type: nil))
        } else {
            throw DERError("unsupported kind of public key")
        }
        try algorithm.finishParameters()
    }

    /// Checks a certificate's or request's signature.
    ///
    /// - Parameters:
    ///   - algorithm: The DER AlgorithmIdentifier that came with it; must suit the key.
    /// > Spec: RFC 5758, RFC 4055, RFC 8410.
    package func verifies(_ signature: ArraySlice<UInt8>, of message: ArraySlice<UInt8>, algorithm: ArraySlice<UInt8>)
        -> Bool
    {
        var outer = DERReader(Array(algorithm))
        guard var content = try? outer.enter(DER.sequence), let element = try? content.next(DER.objectID) else {
            return false
        }
        let identifier = Array(content.whole(element))
        switch backing {
        case .p256(let key):
            guard let value = try? P256.Signing.ECDSASignature(derRepresentation: signature) else { return false }
            return switch identifier {
            case OID.ecdsaSHA256: key.isValidSignature(value, for: SHA256.hash(data: message))
            case OID.ecdsaSHA384: key.isValidSignature(value, for: SHA384.hash(data: message))
            case OID.ecdsaSHA512: key.isValidSignature(value, for: SHA512.hash(data: message))
            default: false
            }
        case .p384(let key):
            guard let value = try? P384.Signing.ECDSASignature(derRepresentation: signature) else { return false }
            return switch identifier {
            case OID.ecdsaSHA256: key.isValidSignature(value, for: SHA256.hash(data: message))
            case OID.ecdsaSHA384: key.isValidSignature(value, for: SHA384.hash(data: message))
            case OID.ecdsaSHA512: key.isValidSignature(value, for: SHA512.hash(data: message))
            default: false
            }
        case .p521(let key):
            guard let value = try? P521.Signing.ECDSASignature(derRepresentation: signature) else { return false }
            return switch identifier {
            case OID.ecdsaSHA256: key.isValidSignature(value, for: SHA256.hash(data: message))
            case OID.ecdsaSHA384: key.isValidSignature(value, for: SHA384.hash(data: message))
            case OID.ecdsaSHA512: key.isValidSignature(value, for: SHA512.hash(data: message))
            default: false
            }
        case .rsa(let key):
            let value = _RSA.Signing.RSASignature(rawRepresentation: signature)
            let padding = _RSA.Signing.Padding.insecurePKCS1v1_5
            return switch identifier {
            case OID.rsaSHA256: key.isValidSignature(value, for: SHA256.hash(data: message), padding: padding)
            case OID.rsaSHA384: key.isValidSignature(value, for: SHA384.hash(data: message), padding: padding)
            case OID.rsaSHA512: key.isValidSignature(value, for: SHA512.hash(data: message), padding: padding)
            default: false
            }
        case .ed25519(let key):
            return identifier == OID.ed25519 && key.isValidSignature(signature, for: message)
        }
    }
}

extension DERReader {
    /// Reads what may follow an algorithm's identifier: nothing, or NULL.
    fileprivate mutating func finishParameters() throws(DERError) {
        if let parameters = try optional(DER.null), parameters.count != 0 { throw DERError("bad parameters") }
        try finish()
    }
}

extension PublicKeyInfo {
    /// Reads and checks a DER SubjectPublicKeyInfo.
    /// - Throws: `key_malformed`.
    package init(spki: [UInt8]) throws { self = try SubjectPublicKey(spki: spki).info }

    /// SHA-1 over the bits of the public key: the subject key ID of its certificates. 20 bytes.
    /// > Spec: RFC 5280 §4.2.1.2 (1).
    package var subjectKeyID: [UInt8] {
        [UInt8](Insecure.SHA1.hash(data: publicKeyBits))
    }

    /// The contents of the key's BIT STRING; empty when the encoding is not one.
    private var publicKeyBits: ArraySlice<UInt8> {
        if type == .ecP256, spki.count == 91 { return spki[26...] }
        var outer = DERReader(spki)
        guard var content = try? outer.enter(DER.sequence), (try? content.next(DER.sequence)) != nil else { return [] }
        return (try? content.octets()) ?? []
    }
}
