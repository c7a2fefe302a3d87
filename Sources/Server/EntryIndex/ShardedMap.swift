// SPDX-License-Identifier: Apache-2.0

/// A dictionary in pieces, so that changing it while a copy is held elsewhere copies one piece only.
struct ShardedMap<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var shards: [[Key: Value]]

    /// - Parameter shards: A power of two.
    init(shards: Int = 256) { self.shards = Array(repeating: [:], count: shards) }

    subscript(key: Key) -> Value? {
        get { shards[shard(key)][key] }
        set { shards[shard(key)][key] = newValue }
    }

    subscript(key: Key, default value: @autoclosure () -> Value) -> Value {
        get { shards[shard(key)][key] ?? value() }
        _modify {
            let index = shard(key)
            yield &shards[index][key, default: value()]
        }
    }

    private func shard(_ key: Key) -> Int { key.hashValue & (shards.count - 1) }
}
