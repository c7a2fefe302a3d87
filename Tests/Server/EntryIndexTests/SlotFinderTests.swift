// SPDX-License-Identifier: Apache-2.0

import TestKit
import Testing

@testable import EntryIndex

@Suite struct SlotFinderTests {
    /// Random insertions, removals and look-ups, against a dictionary. `spread` bits of the hash vary, so that with few
    /// of them nearly everything collides.
    @Test("finds what was put in and nothing else, however keys collide", arguments: [2, 8, 64])
    func random(spread: Int) {
        let random = SeededRandom(seed: UInt64(spread))
        func hash(_ key: Int32) -> UInt64 {
            let mixed = UInt64(UInt32(bitPattern: key)) &* 0x9e37_79b9_7f4a_7c15
            return spread == 64 ? mixed : mixed >> (64 - spread)
        }
        var finder = SlotFinder()
        var known: Set<Int32> = []
        var copy = finder
        var copied = known
        for step in 0..<6000 {
            let key = Int32(random.next() % 600)
            switch random.next() % 3 {
            case 0 where !known.contains(key):
                finder.insert(hash(key), key)
                known.insert(key)
            case 1 where known.contains(key):
                finder.remove(hash(key), key)
                known.remove(key)
            default:
                #expect((finder.find(hash(key)) { $0 == key } != nil) == known.contains(key))
            }
            if step == 3000 { (copy, copied) = (finder, known) }
        }
        for key in Int32(0)..<600 {
            #expect((finder.find(hash(key)) { $0 == key } != nil) == known.contains(key))
            // What was copied on the way is as it was.
            #expect((copy.find(hash(key)) { $0 == key } != nil) == copied.contains(key))
        }
    }
}
