// SPDX-License-Identifier: Apache-2.0

import Datastore
import TestKit
import Testing

@testable import EntryIndex

@Suite struct PackedTextsTests {
    @Test("texts are what was put last, copies keep theirs", arguments: [1 as UInt64, 2, 3])
    func model(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        var texts = PackedTexts()
        var model: [Int32: String] = [:]
        var kept: (PackedTexts, [Int32: String])?
        for step in 0..<20_000 {
            // Close together, over the ends of a buffer and of a group of buffers.
            let number = Int32(random.next() % (step % 2 == 0 ? 200 : 9000))
            switch random.next() % 10 {
            case 0:
                texts.clear(number)
                model[number] = ""
            case 1:
                // Many bytes a character, nothing, and long ones.
                let text = ["", "é", "日本", String(repeating: "x", count: 5000)][Int(random.next() % 4)]
                PackedTexts.Text.with(text) { texts.set(number, $0) }
                model[number] = text
            default:
                PackedTexts.Text.with("text-", "\(step)") { texts.set(number, $0) }
                model[number] = "text-\(step)"
            }
            if step == 10_000 { kept = (texts, model) }
        }
        for number in Int32(0)..<9000 { #expect(texts.text(number) == model[number, default: ""]) }
        for number in Int32(0)..<9000 { #expect(kept?.0.text(number) == kept?.1[number, default: ""]) }
        #expect(texts.text(1_000_000) == "")
    }

    @Test("selectors are told apart by their bytes, whatever the border between type and value")
    func selectors() {
        var table = SelectorTable()
        let all = [
            Selector(type: "a", value: "bc"), Selector(type: "ab", value: "c"), Selector(type: "", value: "abc"),
            Selector(type: "abc", value: ""), Selector(type: "t", value: "\u{e9}"), Selector(type: "t", value: "e\u{301}"),
        ]
        let numbers = all.map { table.acquire($0) }
        #expect(Set(numbers).count == all.count)
        for (selector, number) in zip(all, numbers) {
            #expect(table.number(of: selector) == number)
            let found = written(number, of: table)
            #expect(found.type.utf8.elementsEqual(selector.type.utf8) && found.value.utf8.elementsEqual(selector.value.utf8))
        }
        table.release(numbers[0])
        #expect(table.number(of: all[0]) == nil && table.number(of: all[1]) == numbers[1])
        let again = table.acquire(Selector(type: "new", value: "one"))
        #expect(again == numbers[0])
        #expect(written(again, of: table).value == "one")
    }

    private func written(_ number: Int32, of table: SelectorTable) -> Selector {
        var records = EntryRecords()
        let places = table.put(number, known: .init(), into: &records)
        return Selector(type: records.text(places.type), value: records.text(places.value))
    }
}
