// SPDX-License-Identifier: Apache-2.0

/// One thing an attestor found out about a workload or a node: `type:value`.
package struct Selector: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The attestor's name; never empty, holds no colon.
    package let type: String
    /// What it found; never empty.
    package let value: String

    package init(type: String, value: String) {
        self.type = type
        self.value = value
    }

    package var description: String { type + ":" + value }

    // Byte by byte: to a `String` two spellings of one letter are equal, to a file system they are two files.
    package static func == (a: Selector, b: Selector) -> Bool {
        a.value == b.value && a.type == b.type && a.value.utf8.elementsEqual(b.value.utf8)
            && a.type.utf8.elementsEqual(b.type.utf8)
    }

    package static func < (a: Selector, b: Selector) -> Bool {
        if a.type.utf8.lexicographicallyPrecedes(b.type.utf8) { return true }
        return a.type.utf8.elementsEqual(b.type.utf8) && a.value.utf8.lexicographicallyPrecedes(b.value.utf8)
    }
}

/// Selectors in order and without doubles, so that equal sets are equal values.
package struct SelectorSet: Sendable, Hashable {
    /// Ascending, each once.
    package let selectors: [Selector]

    package init(_ selectors: some Sequence<Selector>) {
        var sorted = selectors.sorted()
        var kept = 0
        for index in sorted.indices where index == 0 || sorted[index] != sorted[kept - 1] {
            sorted[kept] = sorted[index]
            kept += 1
        }
        sorted.removeLast(sorted.count - kept)
        self.selectors = sorted
    }

    package var isEmpty: Bool { selectors.isEmpty }

    /// Whether every selector of `other` is in this set.
    package func isSuperset(of other: SelectorSet) -> Bool {
        guard other.selectors.count <= selectors.count else { return false }
        var mine = 0
        for wanted in other.selectors {
            while mine < selectors.count, selectors[mine] < wanted { mine += 1 }
            guard mine < selectors.count, selectors[mine] == wanted else { return false }
            mine += 1
        }
        return true
    }
}
