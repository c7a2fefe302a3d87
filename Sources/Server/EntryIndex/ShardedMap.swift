// SPDX-License-Identifier: Apache-2.0

/// A key with a cheap number that differs between most keys; the dictionary inside hashes properly.
protocol ShardKey: Hashable, Sendable {
    var spread: Int { get }
}

extension Int32: ShardKey {
    var spread: Int { Int(self) }
}

/// A dictionary in pieces of pieces, so that changing it while a copy is held elsewhere copies one small piece only.
struct ShardedMap<Key: ShardKey, Value: Sendable>: Sendable {
    /// 64 groups of 64 dictionaries; a group is made when it is first needed.
    private var groups: [[[Key: Value]]] = Array(repeating: [], count: 64)

    init() {}

    subscript(key: Key) -> Value? {
        get {
            let (group, shard) = place(key)
            return groups[group].isEmpty ? nil : groups[group][shard][key]
        }
        set {
            let (group, shard) = place(key)
            if groups[group].isEmpty {
                if newValue == nil { return }
                groups[group] = Array(repeating: [:], count: 64)
            }
            groups[group][shard][key] = newValue
        }
    }

    subscript(key: Key, default value: @autoclosure () -> Value) -> Value {
        get { self[key] ?? value() }
        _modify {
            let (group, shard) = place(key)
            if groups[group].isEmpty { groups[group] = Array(repeating: [:], count: 64) }
            yield &groups[group][shard][key, default: value()]
        }
    }

    /// Neighbouring numbers land far from one another.
    private func place(_ key: Key) -> (group: Int, shard: Int) {
        let mixed = UInt64(truncatingIfNeeded: key.spread) &* 0x9e37_79b9_7f4a_7c15
        return (Int(mixed >> 58), Int((mixed >> 52) & 63))
    }
}
