// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials
import X509

/// JSON Web Keys as SPIFFE bundles use them: `kty` and the parameters of a public key.
/// > Spec: RFC 7517, RFC 7518 §6.
package enum JWK {
    /// The members of a public key, in the order go-jose writes them.
    /// - Parameter algorithm: What the key signs with, where a key is bound to one algorithm.
    package static func members(
        of key: PublicKey, use: String? = nil, keyID: String? = nil, algorithm: String? = nil
    ) throws(SPIFFEError) -> JSONObject {
        var object = JSONObject()
        object["use"] = use.map { .string($0) }
        let curve: (name: String, x963: Data)
        switch key.backing {
        case .p256(let key): curve = ("P-256", key.x963Representation)
        case .p384(let key): curve = ("P-384", key.x963Representation)
        case .p521(let key): curve = ("P-521", key.x963Representation)
        case .rsa(let key):
            guard let primitives = try? key.getKeyPrimitives() else {
                throw SPIFFEError(.invalidKey, "RSA key without modulus")
            }
            object["kty"] = .string("RSA")
            object["kid"] = keyID.map { .string($0) }
            object["alg"] = algorithm.map { .string($0) }
            object["n"] = .string(Base64.encode(significant(primitives.modulus), .url))
            object["e"] = .string(Base64.encode(significant(primitives.publicExponent), .url))
            return object
        }
        // 0x04, then both coordinates in full width.
        let half = (curve.x963.count - 1) / 2
        object["kty"] = .string("EC")
        object["kid"] = keyID.map { .string($0) }
        object["crv"] = .string(curve.name)
        object["alg"] = algorithm.map { .string($0) }
        object["x"] = .string(Base64.encode(curve.x963.dropFirst().prefix(half), .url))
        object["y"] = .string(Base64.encode(curve.x963.suffix(half), .url))
        return object
    }

    /// Parses the public key of a JWK; `nil` when the key type or curve is not one we know.
    /// - Throws: `invalid_key` when the parameters of a known type are wrong.
    static func publicKey(_ object: JSONObject) throws(SPIFFEError) -> PublicKey? {
        switch object["kty"]?.string {
        case "EC":
            guard let width = width(of: object["crv"]?.string) else { return nil }
            let x963 = [0x04] + (try bytes(object, "x", width: width)) + (try bytes(object, "y", width: width))
            do {
                switch width {
                case 32: return PublicKey(.p256(try P256.Signing.PublicKey(x963Representation: x963)))
                case 48: return PublicKey(.p384(try P384.Signing.PublicKey(x963Representation: x963)))
                default: return PublicKey(.p521(try P521.Signing.PublicKey(x963Representation: x963)))
                }
            } catch {
                throw SPIFFEError(.invalidKey, "invalid EC key: the point is not on the curve")
            }
        case "RSA":
            let modulus = try bytes(object, "n", width: nil)
            let exponent = try bytes(object, "e", width: nil)
            guard let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent), key.keySizeInBits >= 2048 else {
                throw SPIFFEError(.invalidKey, "invalid RSA key")
            }
            return PublicKey(.rsa(key))
        default:
            return nil
        }
    }

    private static func width(of curve: String?) -> Int? {
        switch curve {
        case "P-256": 32
        case "P-384": 48
        case "P-521": 66
        default: nil
        }
    }

    private static func bytes(_ object: JSONObject, _ name: String, width: Int?) throws(SPIFFEError) -> [UInt8] {
        guard let text = object[name]?.string, text.utf8.count <= 2048,
            let bytes = Base64.decode(text.utf8, .url), !bytes.isEmpty, width == nil || bytes.count == width
        else {
            throw SPIFFEError(.invalidKey, "invalid or missing \"\(name)\" in key")
        }
        return bytes
    }

    /// Integers are written without leading zero octets.
    private static func significant(_ integer: Data) -> Data { integer.drop { $0 == 0 } }
}
