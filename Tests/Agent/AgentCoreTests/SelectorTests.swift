// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentCore

@Suite struct SelectorTests {
    /// One letter in two spellings that a `String` takes for equal.
    private static let one = Selector(type: "unix", value: "path:/caf\u{e9}")
    private static let other = Selector(type: "unix", value: "path:/cafe\u{301}")

    @Test("two spellings of one letter are two selectors: a file system has two files by these names")
    func spellings() {
        #expect(Self.one.value == Self.other.value)
        #expect(Self.one != Self.other)
        #expect((Self.one < Self.other) != (Self.other < Self.one))
        #expect(SelectorSet([Self.one, Self.other, Self.one]).selectors.count == 2)
        #expect(!SelectorSet([Self.one]).isSuperset(of: SelectorSet([Self.other])))
        #expect(SelectorSet([Self.other, Self.one]).isSuperset(of: SelectorSet([Self.other])))
    }
}
