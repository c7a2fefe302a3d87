// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import YAML

@Suite struct YAMLTests {
    private func read(_ text: String, limits: YAML.Limits = .init()) throws -> [YAMLNode] {
        try YAML.documents(Array(text.utf8), limits: limits)
    }

    @Test("documents come out as trees with the places of keys and values")
    func tree() throws {
        let documents = try read("---\na: 1\nb:\n  - x\n  - 'y'\n---\n...\n---\n[true]\n")
        #expect(documents.count == 2)
        let members = try #require(documents[0].mapping)
        #expect(members.map(\.key) == ["a", "b"])
        #expect(members[0].value.integer == 1)
        #expect(members[1].keyPosition == YAMLPosition(line: 3, column: 1))
        let list = try #require(members[1].value.sequence)
        #expect(list.map(\.text) == ["x", "y"])
        #expect(list[1].position == YAMLPosition(line: 5, column: 5))
        #expect(documents[1].sequence?.first?.bool == true)
    }

    @Test("only unquoted words stand for numbers, truth values and nothing; yes and on are texts")
    func scalars() throws {
        let items = try #require(try read("[1, '1', true, 'true', yes, ~, '', null, -7, 0x10, 1e3, +4]").first?.sequence)
        #expect(items.map(\.integer) == [1, nil, nil, nil, nil, nil, nil, nil, -7, nil, nil, nil])
        #expect(items.map(\.bool) == [nil, nil, true, nil, nil, nil, nil, nil, nil, nil, nil, nil])
        #expect(items.map(\.isNull) == [false, false, false, false, false, true, false, true, false, false, false, false])
        #expect(items[4].text == "yes")
    }

    @Test(
        "what makes a line depend on another place is refused where it stands",
        arguments: [
            ("a: &x 1\nb: *x\n", "line 1, column 4: anchors are not supported"),
            ("b: *x\n", "line 1, column 4: aliases are not supported; write the value out"),
            ("a: !!str 1\n", "line 1, column 4: tags are not supported"),
            ("a: {b: 1}\n<<: {c: 1}\n", "line 2, column 1: merge keys are not supported; write the keys out"),
            ("a: 1\n\"a\": 2\n", "line 2, column 1: the key \"a\" is there twice"),
            ("[a]: 1\n", "line 1, column 1: a key must be a plain word"),
        ])
    func refusals(text: String, message: String) {
        #expect(throws: YAMLError.self) { try read(text) }
        do { _ = try read(text) } catch { #expect("\(error)" == message) }
    }

    @Test("a bomb of nested aliases costs nothing")
    func bomb() {
        var text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for n in 1..<20 { text += "a\(n): &a\(n) [" + [String](repeating: "*a\(n - 1)", count: 9).joined(separator: ",") + "]\n" }
        #expect(throws: YAMLError("anchors are not supported", at: YAMLPosition(line: 1, column: 5))) { try read(text) }
    }

    @Test("size, nesting, number of values and length of a value are bounded")
    func bounds() throws {
        var limits = YAML.Limits()
        limits.bytes = 100
        #expect(throws: YAMLError.self) { try read(String(repeating: "#", count: 101), limits: limits) }
        limits = .init()
        limits.nodes = 3
        #expect(throws: YAMLError.self) { try read("[1,2,3]", limits: limits) }
        #expect(try read("[1,2]", limits: limits).count == 1)
        limits = .init()
        limits.scalar = 3
        #expect(throws: YAMLError.self) { try read("abcd", limits: limits) }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: YAMLError.self) { try read(deep) }
        #expect(try read(String(repeating: "[", count: 32) + String(repeating: "]", count: 32)).count == 1)
        #expect(throws: YAMLError.self) { try read(String(repeating: "[", count: 33) + String(repeating: "]", count: 33)) }
    }

    @Test(
        "broken texts are refused with a place",
        arguments: ["a: [1, 2", "a: 'x", "a: b: c", "\tx: 1", "a: \"\\q\"", "%YAML 9.9\n---\na: 1", "- a\nb: 1", "a: \u{1}"])
    func broken(text: String) {
        do {
            _ = try read(text)
            Issue.record("\(text) was read")
        } catch {
            #expect((error as? YAMLError)?.position.line ?? 0 > 0)
        }
    }

    @Test("bytes that are not UTF-8 are refused")
    func encoding() {
        #expect(throws: YAMLError.self) { try YAML.documents([0x61, 0x3a, 0x20, 0xff, 0xfe]) }
        // UTF-16 with a mark, which libyaml would otherwise follow.
        #expect(throws: YAMLError.self) { try YAML.documents([0xff, 0xfe, 0x61, 0x00]) }
    }
}
