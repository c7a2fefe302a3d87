// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Issuance
package import PluginAPI
import Synchronization

/// Keys that vanish when the process ends: each start makes new authorities.
package final class MemoryKeyManager: KeyManager {
    private let lane: BlockingLane
    private let ring = Mutex<KeyRing>([:])

    package init(lane: BlockingLane) { self.lane = lane }

    package func generateKey(id: String, type: KeyType) async throws -> any ManagedKey {
        try KeyRing.check(id: id)
        let key = try await LocalKey.generate(type, on: lane)
        ring.withLock { $0[id] = key }
        return HeldKey(id: id, key: key)
    }

    package func key(id: String) async throws -> (any ManagedKey)? {
        ring.withLock { $0[id] }.map { HeldKey(id: id, key: $0) }
    }

    package func keys() async throws -> [any ManagedKey] { ring.withLock { $0 }.held }
}
