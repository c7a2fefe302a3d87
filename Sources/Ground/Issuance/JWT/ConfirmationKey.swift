// SPDX-License-Identifier: Apache-2.0

import Groundwork
import SPIFFE

/// The public key a WIT-SVID is bound to: whoever presents the token has to prove that they hold the private half.
/// > Spec: WIT-SVID §3.2; RFC 7800 §3.2; RFC 7518 §3.1, §6.
package struct ConfirmationKey: Sendable {
    /// What the holder signs with, such as `ES256`.
    package let algorithm: String
    /// The public key as a JWK, in JSON.
    let jwk: [UInt8]

    /// - Parameter algorithm: A JWS algorithm the key can be used with.
    /// - Throws: `issuance.key_algorithm` in the original's words; `issuance.key_malformed` for RSA keys of less than
    ///   2,048 bits, which no JWS algorithm may be used with.
    package init(_ key: SubjectPublicKey, algorithm: String) throws {
        let (name, allowed): (String, [String]) =
            switch key.backing {
            case .rsa: ("RSA", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
            case .p256: ("ec-p256", ["ES256"])
            case .p384: ("ec-p384", ["ES384"])
            case .p521: ("ec-p521", ["ES512"])
            // The original names its own type here.
            case .ed25519: throw SpireError(.keyAlgorithm, "unsupported key type 'ed25519.PublicKey'")
            }
        guard allowed.contains(algorithm) else {
            throw SpireError(.keyAlgorithm, "unsupported signing algorithm for \(name) key: \(algorithm)")
        }
        self.algorithm = algorithm
        do {
            let members = try JWK.members(of: try PublicKey(spki: key.info.spki), algorithm: algorithm)
            jwk = JSONValue.object(members).text()
        } catch {
            throw SpireError(.keyMalformed, "the key cannot be used with \(algorithm): \(error)")
        }
    }
}
