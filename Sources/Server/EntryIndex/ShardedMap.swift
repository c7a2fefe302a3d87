// SPDX-License-Identifier: Apache-2.0

import Datastore

/// A key with a cheap number that differs between most keys; the dictionary inside hashes properly.
protocol ShardKey: Hashable, Sendable {
    var spread: Int { get }
}

extension Int32: ShardKey {
    var spread: Int { Int(self) }
}

extension String: ShardKey {
    var spread: Int {
        var spread = utf8.count
        for byte in utf8.suffix(4) { spread = spread &* 31 &+ Int(byte) }
        return spread
    }
}

extension Selector: ShardKey {
    var spread: Int { value.spread }
}

extension EntryKey: ShardKey {
    var spread: Int {
        switch self {
        case .uuid(let high, _): Int(truncatingIfNeeded: high)
        case .text(let text): text.spread
        }
    }
}

/// A dictionary in pieces, so that changing it while a copy is held elsewhere copies one piece only.
struct ShardedMap<Key: ShardKey, Value: Sendable>: Sendable {
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

    private func shard(_ key: Key) -> Int { key.spread & (shards.count - 1) }
}
