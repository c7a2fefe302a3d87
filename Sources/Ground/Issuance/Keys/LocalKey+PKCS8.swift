// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials
package import Groundwork

extension LocalKey {
    /// Most bytes of an encoded private key; an RSA-4096 key has about 2,400.
    package static let maximumPKCS8Count = 16 << 10

    /// Reads an unencrypted PKCS #8 key as Go and OpenSSL write them.
    ///
    /// The curve may be named inside the inner key too, and the public key may be absent; where it is there it must
    /// belong to the private key.
    /// - Throws: `key_malformed`, never with key bytes in it.
    /// > Spec: RFC 5958 §2, RFC 5915 §3, RFC 8017 §A.1.2.
    package init(pkcs8: [UInt8]) throws {
        guard pkcs8.count <= Self.maximumPKCS8Count else {
            throw SpireError(.keyMalformed, "private key is larger than \(Self.maximumPKCS8Count) bytes")
        }
        do {
            var outer = DERReader(pkcs8)
            var info = try outer.enter(DER.sequence)
            try outer.finish()
            let version = try info.unsigned()
            guard version.isEmpty || version.elementsEqual([1]) else { throw DERError("unknown PKCS #8 version") }
            var algorithm = try info.enter(DER.sequence)
            let identifier = algorithm.whole(try algorithm.next(DER.objectID))
            let inner = info.contents(try info.next(DER.octetString))
            if identifier.elementsEqual(OID.rsa) {
                self = try Self.rsa(inner)
            } else if identifier.elementsEqual(OID.ecPublicKey) {
                let curve = algorithm.whole(try algorithm.next(DER.objectID))
                self = try Self.ellipticCurve(Array(inner), curve: curve)
            } else {
                throw DERError("unsupported kind of private key")
            }
        } catch let error as DERError {
            throw SpireError(.keyMalformed, "malformed PKCS #8 private key: \(error)")
        }
    }

    private static func rsa(_ pkcs1: ArraySlice<UInt8>) throws -> LocalKey {
        guard let key = try? _RSA.Signing.PrivateKey(derRepresentation: pkcs1) else {
            throw SpireError(.keyMalformed, "malformed RSA private key")
        }
        switch key.keySizeInBits {
        case 2048: return LocalKey(.rsa(key), .rsa2048)
        case 4096: return LocalKey(.rsa(key), .rsa4096)
        default:
            throw SpireError(.keyMalformed, "unsupported RSA key size \(key.keySizeInBits)")
        }
    }

    private static func ellipticCurve(_ der: [UInt8], curve: ArraySlice<UInt8>) throws -> LocalKey {
        var outer = DERReader(der)
        var inner = try outer.enter(DER.sequence)
        try outer.finish()
        guard try inner.unsigned().elementsEqual([1]) else { throw DERError("unknown EC private key version") }
        let scalar = inner.contents(try inner.next(DER.octetString))
        if let parameters = try inner.optional(DER.context(0, constructed: true)) {
            guard inner.contents(parameters).elementsEqual(curve) else { throw DERError("two different curves") }
        }
        var point: ArraySlice<UInt8>?
        if let wrapped = try inner.optional(DER.context(1, constructed: true)) {
            var content = inner.reader(wrapped)
            point = try content.octets()
        }
        try inner.finish()

        func padded(_ size: Int) throws -> [UInt8] {
            let digits = scalar.drop { $0 == 0 }
            guard digits.count <= size else { throw DERError("EC private key is too long") }
            return [UInt8](repeating: 0, count: size - digits.count) + digits
        }
        let key: LocalKey
        if curve.elementsEqual(OID.p256) {
            guard let raw = try? P256.Signing.PrivateKey(rawRepresentation: padded(32)) else {
                throw DERError("EC private key is out of range")
            }
            key = LocalKey(.p256(raw), .ecP256)
        } else if curve.elementsEqual(OID.p384) {
            guard let raw = try? P384.Signing.PrivateKey(rawRepresentation: padded(48)) else {
                throw DERError("EC private key is out of range")
            }
            key = LocalKey(.p384(raw), .ecP384)
        } else {
            throw DERError("unsupported elliptic curve")
        }
        if let point, !key.publicKey.spki.suffix(point.count).elementsEqual(point) {
            throw DERError("public key does not belong to the private key")
        }
        return key
    }

    /// The key as unencrypted PKCS #8 DER, in the form Go's and OpenSSL's writers give it.
    package var pkcs8: Secret<[UInt8]> {
        switch backing {
        case .p256(let key):
            Secret(Self.encode(key.rawRepresentation, key.publicKey.x963Representation, curve: OID.p256))
        case .p384(let key):
            Secret(Self.encode(key.rawRepresentation, key.publicKey.x963Representation, curve: OID.p384))
        case .rsa(let key):
            Secret(
                DER.sequence(
                    [DER.integer, 1, 0], DER.sequence(OID.rsa, [DER.null, 0]),
                    DER.element(DER.octetString, key.derRepresentation)))
        }
    }

    private static func encode(_ scalar: Data, _ point: Data, curve: [UInt8]) -> [UInt8] {
        let inner = DER.sequence(
            [DER.integer, 1, 1], DER.element(DER.octetString, scalar),
            DER.element(DER.context(1, constructed: true), DER.octets(point)))
        return DER.sequence(
            [DER.integer, 1, 0], DER.sequence(OID.ecPublicKey, curve), DER.element(DER.octetString, inner))
    }
}
