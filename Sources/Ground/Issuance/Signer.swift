// SPDX-License-Identifier: Apache-2.0

/// A private key somebody holds: in memory, on disk, in an HSM or a cloud. `Issuance` is the only caller of `sign`.
package protocol Signer: Sendable {
    var publicKey: PublicKeyInfo { get }
    /// Signs `message` (not its digest).
    /// - Throws: what the holder of the key reports.
    func sign(_ message: [UInt8], scheme: SignatureScheme) async throws -> [UInt8]
}

/// A signer whose key is in this process: signing does not wait.
package protocol ImmediateSigner: Signer {
    func signNow(_ message: [UInt8], scheme: SignatureScheme) throws -> [UInt8]
}

extension ImmediateSigner {
    package func sign(_ message: [UInt8], scheme: SignatureScheme) async throws -> [UInt8] {
        try signNow(message, scheme: scheme)
    }
}

/// A public key as others see it: its DER SubjectPublicKeyInfo and what kind it is.
package struct PublicKeyInfo: Sendable, Hashable {
    /// DER SubjectPublicKeyInfo (PKIX).
    package let spki: [UInt8]
    /// `nil` for kinds we never make, such as P-521 or RSA of another size, which may still appear in a caller's CSR.
    package let type: KeyType?

    package init(spki: [UInt8], type: KeyType?) {
        self.spki = spki
        self.type = type
    }
}
