// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Each distinct selector once, under a number, for as long as something uses it.
struct SelectorTable: Sendable {
    private struct Use: Sendable {
        var selector: Selector
        var count: Int32
    }

    private var numbers = SlotFinder()
    private var uses = Slots<Use>()

    func selector(_ number: Int32) -> Selector { uses[number].selector }

    func number(of selector: Selector) -> Int32? {
        numbers.find(SlotFinder.hash(selector)) { uses[$0].selector == selector }
    }

    mutating func acquire(_ selector: Selector) -> Int32 {
        let hash = SlotFinder.hash(selector)
        if let known = numbers.find(hash, { uses[$0].selector == selector }) {
            uses[known].count += 1
            return known
        }
        let number = uses.add(Use(selector: selector, count: 1))
        numbers.insert(hash, number)
        return number
    }

    mutating func release(_ number: Int32) {
        uses[number].count -= 1
        guard uses[number].count == 0 else { return }
        numbers.remove(SlotFinder.hash(uses[number].selector), number)
        uses.remove(number, empty: Use(selector: Selector(type: "", value: ""), count: 0))
    }
}
