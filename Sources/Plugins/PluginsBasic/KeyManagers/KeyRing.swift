// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Issuance
import PluginAPI

/// A key held in this process under a name.
package struct HeldKey: ManagedKey, ImmediateSigner, ExportableKey {
    package let id: String
    let key: LocalKey

    package var publicKey: PublicKeyInfo { key.publicKey }
    package var pkcs8: Secret<[UInt8]> { key.pkcs8 }

    package func signNow(_ message: [UInt8], scheme: SignatureScheme) throws -> [UInt8] {
        do {
            return try key.signNow(message, scheme: scheme)
        } catch let error as SpireError {
            throw error.while("failed to sign data: keypair \"\(id)\" signing operation failed")
        }
    }
}

/// The named keys of a key manager that keeps them in this process.
typealias KeyRing = [String: LocalKey]

extension KeyRing {
    var held: [any ManagedKey] { sorted { $0.key < $1.key }.map { HeldKey(id: $0.key, key: $0.value) } }

    static func check(id: String) throws {
        guard !id.isEmpty else {
            throw SpireError(.invalid, "failed to generate key: key id is required")
        }
    }
}
