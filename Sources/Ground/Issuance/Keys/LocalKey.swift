// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials
package import Groundwork

/// A private key in this process. It is never printed; `pkcs8` is the one way to its bytes.
package struct LocalKey: ImmediateSigner, CustomStringConvertible, CustomReflectable {
    enum Backing: Sendable {
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    let backing: Backing
    package let type: KeyType
    package let publicKey: PublicKeyInfo

    init(_ backing: Backing, _ type: KeyType) {
        self.backing = backing
        self.type = type
        let spki: [UInt8] =
            switch backing {
            case .p256(let key): SubjectPublicKey.p256Prefix + key.publicKey.x963Representation
            case .p384(let key): SubjectPublicKey.p384Prefix + key.publicKey.x963Representation
            case .rsa(let key): [UInt8](key.publicKey.derRepresentation)
            }
        publicKey = PublicKeyInfo(spki: spki, type: type)
    }

    /// Makes a key. RSA takes 30 to 800 ms: use `generate(_:on:)` where threads are scarce.
    ///
    /// Elliptic-curve keys come from random candidates, those out of range rejected.
    /// - Throws: `key_malformed` when the library cannot make the key.
    /// > Spec: FIPS 186-5 §A.2.2 (testing candidates).
    package static func generate(_ type: KeyType, random: some RandomSource = SystemRandom()) throws -> LocalKey {
        switch type {
        case .ecP256:
            // A candidate is out of range with probability 2^-32, so eight tries never fail by chance.
            for _ in 0..<8 {
                if let key = try? P256.Signing.PrivateKey(rawRepresentation: random.bytes(32)) {
                    return LocalKey(.p256(key), type)
                }
            }
        case .ecP384:
            for _ in 0..<8 {
                if let key = try? P384.Signing.PrivateKey(rawRepresentation: random.bytes(48)) {
                    return LocalKey(.p384(key), type)
                }
            }
        case .rsa2048, .rsa4096:
            let size: _RSA.Signing.KeySize = type == .rsa2048 ? .bits2048 : .bits4096
            if let key = try? _RSA.Signing.PrivateKey(keySize: size) { return LocalKey(.rsa(key), type) }
        }
        throw SpireError(.keyMalformed, "unable to generate a \(type.rawValue) key")
    }

    /// Makes a key on `lane`, off the event loops and the cooperative pool.
    /// - Throws: `key_malformed`; `CancellationError`.
    package static func generate(_ type: KeyType, on lane: BlockingLane) async throws -> LocalKey {
        try await lane.run { try generate(type) }
    }

    /// - Throws: `signing_failed`, also for a scheme that is not this key's.
    package func signNow(_ message: [UInt8], scheme: SignatureScheme) throws -> [UInt8] {
        do {
            switch (backing, scheme) {
            case (.p256(let key), .ecdsaSHA256):
                return ECDSASignature.der(raw: try key.signature(for: message).rawRepresentation)
            case (.p384(let key), .ecdsaSHA384):
                return ECDSASignature.der(raw: try key.signature(for: message).rawRepresentation)
            case (.rsa(let key), .rsaPKCS1SHA256):
                return [UInt8](
                    try key.signature(for: SHA256.hash(data: message), padding: .insecurePKCS1v1_5).rawRepresentation)
            default: break
            }
        } catch {
            throw SpireError(.signingFailed, "signing with a \(type.rawValue) key failed", cause: error)
        }
        throw SpireError(.signingFailed, "a \(type.rawValue) key cannot make this kind of signature")
    }

    package var description: String { "LocalKey(\(type.rawValue))" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension KeyType {
    /// The scheme keys of this type sign certificates and tokens with.
    package var signatureScheme: SignatureScheme {
        switch self {
        case .ecP256: .ecdsaSHA256
        case .ecP384: .ecdsaSHA384
        case .rsa2048, .rsa4096: .rsaPKCS1SHA256
        }
    }
}
