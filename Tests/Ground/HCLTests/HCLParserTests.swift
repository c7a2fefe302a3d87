// SPDX-License-Identifier: Apache-2.0

import HCL
import Testing

@Suite struct HCLParserTests {
    private func parse(_ text: String) throws -> HCLBlock {
        HCLBlock(try HCL.parse(text), diagnostics: HCLDiagnostics())
    }

    private func refusal(_ text: String) -> HCLError? {
        do {
            _ = try HCL.parse(text)
            return nil
        } catch {
            return error
        }
    }

    @Test("every fixture parses or is refused at the line its table says")
    func fixtures() throws {
        for row in try Fixtures.expectations(Fixtures.root) {
            let text = try Fixtures.bytes(row.file)
            do {
                _ = try HCL.parse(text)
                #expect(row.parses, "\(row.file) must be refused")
            } catch {
                #expect(!row.parses, "\(row.file): \(error)")
                #expect(error.position.line == row.line, "\(row.file): \(error)")
            }
        }
    }

    @Test("the reference fixtures parse or are refused as their table says", .enabled(if: Fixtures.samples != nil))
    func referenceFixtures() throws {
        let folder = try #require(Fixtures.samples) + "/hcl1"
        let rows = try Fixtures.expectations(folder)
        #expect(rows.count > 30)
        for row in rows {
            let text = try Fixtures.bytes(row.file)
            do {
                _ = try HCL.parse(text)
                #expect(row.parses, "\(row.file) must be refused")
            } catch {
                #expect(!row.parses, "\(row.file): \(error)")
            }
        }
    }

    @Test("the reference decoder inputs parse, but for those made to be wrong", .enabled(if: Fixtures.samples != nil))
    func referenceDecoderInputs() throws {
        let wrong: Set = [
            "basic_duplicates.hcl", "block_assign.hcl", "git_crypt.hcl", "multiline_bad.hcl", "multiline_literal.hcl",
            "multiline_no_marker.hcl", "nested_provider_bad.hcl",
            "unterminated_block_comment.hcl", "unterminated_brace.hcl",
        ]
        let folder = try #require(Fixtures.samples) + "/hcl1"
        for path in try Fixtures.files(under: folder + "/test-fixtures", endings: [".hcl", ".json"]) {
            let name = path.split(separator: "/").last.map(String.init) ?? ""
            let parses = (try? HCL.parse(try Fixtures.bytes(path))) != nil
            #expect(parses == !wrong.contains(name), "\(name)")
        }
        var lenient = HCL.Limits()
        lenient.refusesRepeatedArguments = false
        for path in try Fixtures.files(under: folder + "/hcl/printer", endings: [".input", ".golden"]) {
            #expect(throws: Never.self, "\(path)") { try HCL.parse(try Fixtures.bytes(path), limits: lenient) }
        }
    }

    @Test("real configuration files parse", .enabled(if: Fixtures.samples != nil))
    func realFiles() throws {
        let samples = try #require(Fixtures.samples)
        for folder in ["spire-conf", "tutorials"] {
            let files = try Fixtures.files(under: "\(samples)/\(folder)", endings: [".conf"])
            #expect(!files.isEmpty)
            for path in files { #expect(throws: Never.self, "\(path)") { try HCL.parse(try Fixtures.bytes(path)) } }
        }
    }

    @Test("an unclosed block is reported in the words and at the place operators know")
    func unclosedBlock() {
        #expect(
            refusal("server {\n  a = 1\n\n")?.description == "At 4:2: object expected closing RBRACE got: EOF")
    }

    @Test(
        "what is wrong is named with its place",
        arguments: [
            ("a", "At 1:2: key 'a' expected start of object ('{') or assignment ('=')"),
            ("a = [1 2]", "At 1:8: error parsing list, expected comma or list end, got: NUMBER"),
            ("a = ]", "At 1:5: Unknown token: 1:5 RBRACK ]"),
            ("a b = 1", "At 1:5: nested object expected: LBRACE got: ASSIGN"),
            ("= 1", "At 1:1: no object keys found!"),
            ("a = \"x", "At 1:7: literal not terminated"),
            ("a: 1", "At 1:2: illegal character"),
            ("a = <EOF", "At 1:6: heredoc expected second '<', didn't see it"),
            (
                "a = 1\nb = 2\na = 3",
                "The argument \"a\" at 3:1 was already set. Each argument can only be defined once"
            ),
        ])
    func wording(text: String, message: String) {
        #expect(refusal(text)?.description.hasSuffix(message) == true, "\(refusal(text)?.description ?? "parses")")
    }

    @Test("escapes outside interpolations are resolved, inside they stay")
    func escapes() throws {
        let block = try parse(#"a = "q\"\n\\\u00e9\x41\101" "# + "\n" + #"b = "${f("\\.")}\t""#)
        #expect(block.string("a")?.value == "q\"\n\\éAA")
        #expect(block.string("b")?.value == #"${f("\\.")}"# + "\t")
    }

    @Test("a heredoc keeps its lines; with a dash it loses the margin of its end")
    func heredocs() throws {
        let text = "a = <<E\n x\n  y\nE\nb = <<-E\n    x\n      y\n    E\nc = <<-E\n  x\n y\n   E\n"
        let block = try parse(text)
        #expect(block.string("a")?.value == " x\n  y\n")
        #expect(block.string("b")?.value == "x\n  y\n")
        #expect(block.string("c")?.value == "  x\n y\n")
    }

    @Test("numbers are read as decimal, hexadecimal and octal")
    func numbers() throws {
        let block = try parse("a = 0x1F\nb = 017\nc = -5\nd = 1.50\ne = \"8081\"\nf = \"0x10\"")
        #expect(["a", "b", "c", "e", "f"].map { block.int($0)?.value } == [31, 15, -5, 8081, 16])
        #expect(block.string("d")?.value == "1.50")
    }

    @Test("JSON reads as the same tree, with its own escapes")
    func json() throws {
        let block = try parse(#"{"a": "\ud83d\ude00${x(\"y\")}", "b": [1, "2",], "c": null, "d": {"e": true}}"#)
        #expect(block.string("a")?.value == "😀${x(\"y\")}")
        #expect(block.strings("b")?.value == ["1", "2"])
        #expect(block.string("c") == nil)
        #expect(block.block("d")?.bool("e")?.value == true)
    }

    @Test("nesting beyond the limit is refused, in both forms and of both kinds")
    func nesting() {
        for text in [
            String(repeating: "a {", count: 200_000), "a = " + String(repeating: "[", count: 200_000),
            String(repeating: "{\"a\":", count: 200_000), "{\"a\":" + String(repeating: "[", count: 200_000),
        ] {
            #expect(refusal(text)?.message.contains("inside one another") == true)
        }
        #expect(throws: Never.self) {
            try HCL.parse(String(repeating: "a {", count: 100) + String(repeating: "}", count: 100))
        }
    }

    @Test("a text beyond the size limit is refused")
    func size() {
        #expect(refusal(String(repeating: "#", count: (4 << 20) + 1))?.message.contains("larger than") == true)
    }
}
