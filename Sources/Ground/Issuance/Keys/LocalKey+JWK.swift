// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials
package import Groundwork
import SPIFFE

extension LocalKey {
    /// The private key as a JWK in JSON, members in the order of the original's library.
    /// - Throws: `issuance.key_malformed`.
    /// > Spec: RFC 7518 §6.2.2, §6.3.2.
    package func privateJWK() throws -> Secret<[UInt8]> {
        do {
            var members = try JWK.members(of: try PublicKey(spki: publicKey.spki))
            switch backing {
            case .p256(let key): members.set("d", [UInt8](key.rawRepresentation))
            case .p384(let key): members.set("d", [UInt8](key.rawRepresentation))
            case .rsa(let key):
                var outer = DERReader([UInt8](key.derRepresentation))
                var numbers = try outer.enter(DER.sequence)
                // Version, modulus and public exponent come first.
                for _ in 0..<3 { _ = try numbers.unsigned() }
                for name in ["d", "p", "q", "dp", "dq", "qi"] { members.set(name, [UInt8](try numbers.unsigned())) }
            }
            return Secret(JSONValue.object(members).text())
        } catch {
            // What went wrong is not told: it could carry a part of the key.
            throw SpireError(.keyMalformed, "a \(type.rawValue) key cannot be written as a JWK")
        }
    }
}

extension JSONObject {
    fileprivate mutating func set(_ name: String, _ number: [UInt8]) {
        self[name] = .string(String(decoding: Base64URL.encode(number), as: UTF8.self))
    }
}
