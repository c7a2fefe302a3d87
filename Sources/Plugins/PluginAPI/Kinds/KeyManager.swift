// SPDX-License-Identifier: Apache-2.0

package import Issuance

/// Keeps private keys under names and signs with them.
package protocol KeyManager: Sendable {
    /// Makes a new key under `id`, replacing an older one of that name.
    func generateKey(id: String, type: KeyType) async throws -> any ManagedKey
    /// - Returns: `nil` when there is none.
    func key(id: String) async throws -> (any ManagedKey)?
    /// All keys, ordered by id.
    func keys() async throws -> [any ManagedKey]
}

/// A key of a key manager. It goes on signing with the key it was handed out for, even after that was replaced.
package protocol ManagedKey: Signer {
    var id: String { get }
}
