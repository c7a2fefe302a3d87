// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Each distinct selector once, under a number, for as long as something uses it. Selectors are the same when their
/// bytes are.
struct SelectorTable: Sendable {
    private struct Use: Sendable {
        var count: Int32
        /// How much of the text is the type.
        var typeLength: Int32
    }

    private var numbers = SlotFinder()
    private var uses = Slots<Use>()
    /// Type and value, one after the other.
    private var texts = PackedTexts()

    /// Writes a selector out, its type not again if that is `known`.
    func put(
        _ number: Int32, known: EntryRecords.Place, into records: inout EntryRecords
    ) -> (type: EntryRecords.Place, value: EntryRecords.Place) {
        let length = Int(uses[number].typeLength)
        return unsafe texts.withBytes(number) { bytes in
            unsafe (
                records.put(UnsafeBufferPointer(rebasing: bytes.prefix(length)), unless: known),
                records.put(UnsafeBufferPointer(rebasing: bytes.dropFirst(length)))
            )
        }
    }

    func number(of selector: Selector) -> Int32? {
        PackedTexts.Text.with(selector.type, selector.value) { find($0, $0.hash) }
    }

    mutating func acquire(_ selector: Selector) -> Int32 {
        // No method of this value may take the closure, which changes it: the call would hold a copy meanwhile.
        PackedTexts.Text.with(selector.type, selector.value) { acquire($0, $0.hash) }
    }

    /// - Parameters:
    ///   - text: Type and value.
    ///   - hash: Of the text.
    mutating func acquire(_ text: PackedTexts.Text, _ hash: UInt64) -> Int32 {
        if let known = find(text, hash) {
            uses[known].count += 1
            return known
        }
        let number = uses.add(Use(count: 1, typeLength: Int32(truncatingIfNeeded: text.border)))
        texts.set(number, text)
        numbers.insert(hash, number)
        return number
    }

    mutating func release(_ number: Int32) {
        uses[number].count -= 1
        guard uses[number].count == 0 else { return }
        numbers.remove(texts.hash(number, first: Int(uses[number].typeLength)), number)
        texts.clear(number)
        uses.remove(number, empty: Use(count: 0, typeLength: 0))
    }

    /// `SlotFinder.glance`.
    func glance(_ hash: UInt64) -> Int32 { numbers.glance(hash) }

    private func find(_ text: PackedTexts.Text, _ hash: UInt64) -> Int32? {
        numbers.find(hash) { Int(uses[$0].typeLength) == text.border && texts.isEqual($0, text) }
    }
}
