// SPDX-License-Identifier: Apache-2.0

/// What two sides compare to find out whether they hold the same versions of the same entries: how many they are, and two
/// sums over them that do not depend on their order. Not a defence against forgery: both sides are authenticated.
///
/// The agent computes the same (its own copy of these lines): change both, and the test vectors of both.
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

    mutating func add(_ key: EntryKey, revision: Int64, createdAt: Int64) {
        // FNV-1a over the id, then SplitMix64's finaliser over each number in turn.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        key.forEachByte { hash = (hash ^ UInt64($0)) &* 0x100_0000_01b3 }
        let first = Self.mix(hash ^ Self.mix(UInt64(bitPattern: revision)))
        let second = Self.mix(first ^ Self.mix(UInt64(bitPattern: createdAt) &+ 0x9e37_79b9_7f4a_7c15))
        count &+= 1
        low &+= first ^ second
        high &+= second
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
