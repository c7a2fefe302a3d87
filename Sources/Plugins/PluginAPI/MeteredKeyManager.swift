// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Issuance
package import Telemetry

/// Counts what is asked of a key manager. Keys are handed through as they are: signing is not counted here.
package struct MeteredKeyManager: KeyManager {
    private let keyManager: any KeyManager
    private let time: any TimeSource
    private let generate: CallCounter
    private let one: CallCounter
    private let all: CallCounter

    /// - Parameters:
    ///   - first: First part of the names: `server_key_manager`, `agent_key_manager`.
    ///   - one, all: What the program calls looking up a key, and all keys.
    package init(
        _ keyManager: any KeyManager, _ meter: Meter, first: String, one: String, all: String, time: any TimeSource
    ) {
        self.keyManager = keyManager
        self.time = time
        generate = meter.call([first, "generate_key"])
        self.one = meter.call([first, one])
        self.all = meter.call([first, all])
    }

    package func generateKey(id: String, type: KeyType) async throws -> any ManagedKey {
        try await generate.measure(time) { try await keyManager.generateKey(id: id, type: type) }
    }

    package func key(id: String) async throws -> (any ManagedKey)? {
        try await one.measure(time) { try await keyManager.key(id: id) }
    }

    package func keys() async throws -> [any ManagedKey] { try await all.measure(time) { try await keyManager.keys() } }
}
