// SPDX-License-Identifier: Apache-2.0

/// What two sides compare to find out whether they hold the same versions of the same entries: how many they are, and two
/// sums over them that do not depend on their order.
///
/// The server computes the same (its own copy of these lines): change both, and the test vectors of both.
package struct SetDigest: Sendable, Hashable {
    package var count: UInt64 = 0
    package var low: UInt64 = 0
    package var high: UInt64 = 0

    package init() {}

    package init(count: UInt64, low: UInt64, high: UInt64) {
        self.count = count
        self.low = low
        self.high = high
    }

    package mutating func add(_ entry: EntrySync.Revision) {
        let (first, second) = Self.numbers(entry)
        count &+= 1
        low &+= first
        high &+= second
    }

    package mutating func subtract(_ entry: EntrySync.Revision) {
        let (first, second) = Self.numbers(entry)
        count &-= 1
        low &-= first
        high &-= second
    }

    private static func numbers(_ entry: EntrySync.Revision) -> (UInt64, UInt64) {
        // FNV-1a over the id, then SplitMix64's finaliser over each number in turn.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in entry.id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let first = mix(hash ^ mix(UInt64(bitPattern: entry.number)))
        let second = mix(first ^ mix(UInt64(bitPattern: entry.createdAt) &+ 0x9e37_79b9_7f4a_7c15))
        return (first ^ second, second)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

extension AgentEntry {
    /// What identifies the version of this entry.
    package var version: EntrySync.Revision { .init(id: id, number: revision, createdAt: createdAt) }
}
