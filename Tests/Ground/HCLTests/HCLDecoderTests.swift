// SPDX-License-Identifier: Apache-2.0

import HCL
import Testing

@Suite struct HCLDecoderTests {
    private let diagnostics = HCLDiagnostics(prefix: "unable to decode configuration at \"x.conf\": ", file: "x.conf")

    private func root(_ text: String) throws -> HCLBlock { HCLBlock(try HCL.parse(text), diagnostics: diagnostics) }

    private var messages: [String] { diagnostics.problems.map(\.description) }

    @Test("keys match in any case, and quoted values of other types are converted")
    func leniency() throws {
        let block = try root("metricprefix = 5\nPORT = \"81\"\non = \"TRUE\"\noff = 0")
        #expect(block.string("MetricPrefix")?.value == "5")
        #expect(block.int("port")?.value == 81)
        #expect(block.bool("on")?.value == true)
        #expect(block.bool("off")?.value == false)
        block.finish(section: "top-level")
        #expect(messages.isEmpty)
    }

    @Test("repeated blocks merge, the last value wins")
    func merging() throws {
        let block = try root("a { x = 1\n y = 1 }\na { y = 2 }\na = { z = 3 }")
        let inner = try #require(block.block("a"))
        #expect(["x", "y", "z"].map { inner.int($0)?.value } == [1, 2, 3])
    }

    @Test(
        "labelled blocks are found in every form and keep their order",
        arguments: [
            "p { K \"b\" { v = 1 }\n K \"a\" { v = 2 } }",
            "p { K { b { v = 1 }\n a { v = 2 } } }",
            "p { K b { v = 1 } }\np { K = { a = { v = 2 } } }",
            #"{"p": {"K": [{"b": {"v": 1}}, {"a": [{"v": 2}]}]}}"#,
            #"{"p": [{"K": {"b": {"v": 1}, "a": {"v": 2}}}]}"#,
        ])
    func labels(text: String) throws {
        let found = try #require(try root(text).block("p")?.labelled("K"))
        #expect(found.map(\.label.text) == ["b", "a"])
        #expect(found.map { $0.block.int("v")?.value } == [1, 2])
    }

    @Test("a list of blocks may be a list or repetition")
    func lists() throws {
        let block = try root("s = [{ a = 1 }, { a = 2 }]\nt { a = 3 }\nt { a = 4 }")
        #expect((block.blocks("s") + block.blocks("t")).map { $0.int("a")?.value } == [1, 2, 3, 4])
    }

    @Test("an unknown key is reported with its place and the key that was meant")
    func unknownKeys() throws {
        let block = try #require(try root("server {\n  bind_prot = 1\n  zebra = 2\n}").block("server"))
        _ = block.int("bind_port")
        block.finish(section: "server")
        #expect(
            messages == [
                "unknown configuration detected: \"server.bind_prot\"; did you mean \"bind_port\"? (x.conf:2:3)",
                "unknown configuration detected: \"server.zebra\" (x.conf:3:3)",
            ])
        let fields = ["section": "server", "keys": "bind_prot,zebra"]
        #expect(diagnostics.notices == [ConfigNotice(.error, "Unknown configuration detected", fields: fields)])
    }

    @Test("a value of the wrong type names key, place and what would be right")
    func types() throws {
        let text = "s {\n a = \"x\"\n b = true\n c = {}\n d = \"maybe\"\n e = \"y\"\n f = 1\n}"
        let block = try #require(try root(text).block("s"))
        #expect(block.int("a") == nil && block.string("b") == nil && block.string("c") == nil)
        #expect(block.bool("d") == nil && block.strings("e") == nil && block.block("f") == nil)
        let start = "unable to decode configuration at \"x.conf\": "
        #expect(
            messages == [
                start + "strconv.ParseInt: parsing \"x\": invalid syntax: s.a must be a whole number, such as 8081"
                    + " (x.conf:2:6)",
                start + "At 3:6: wrong type, got a boolean: s.b must be a string in quotes (x.conf:3:6)",
                start + "At 4:6: wrong type, got a block: s.c must be a string in quotes (x.conf:4:6)",
                start + "decodeBool: Unknown value for boolean: \"maybe\": s.d must be true or false (x.conf:5:6)",
                start + "At 6:6: wrong type, got a string: s.e must be a list of strings, such as [\"a\", \"b\"]"
                    + " (x.conf:6:6)",
                start + "At 7:6: wrong type, got a number: s.f must be a block, { … } (x.conf:7:6)",
            ])
    }

    @Test("a number out of range says so")
    func range() throws {
        #expect(try root("a = 99999999999999999999").int("a") == nil)
        #expect(messages.first?.contains("parsing \"99999999999999999999\": value out of range") == true)
    }
}
