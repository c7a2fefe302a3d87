// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import SPIFFE

@Suite struct JSONTests {
    func parse(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }
    func text(_ value: JSONValue) -> String { String(decoding: value.text(), as: UTF8.self) }

    @Test(
        "what was read is written again as it was",
        arguments: [
            "null", "true", "false", "0", "-0", "1.50", "9007199254740993", "-1e-7", "1E+400", #""""#, "[]", "{}",
            #"{"b":1,"a":[{"c":null},"x"]}"#, #""a\nb\t\"\\\u0001""#, #""\u003cscript\u003e\u0026\u2028""#, "\"\u{e9}\u{1f600}\"",
        ])
    func lossless(json: String) throws {
        #expect(text(try parse(json)) == json)
    }

    @Test("space is skipped where it may stand")
    func space() throws {
        #expect(text(try parse(" \r\n\t{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n")) == #"{"a":[1,2],"b":{}}"#)
    }

    @Test("escapes are understood")
    func escapes() throws {
        #expect(try parse(#""\u00e9\/\b\f\n\r\t""#).string == "\u{e9}/\u{8}\u{c}\n\r\t")
        #expect(try parse(#""\ud83d\ude00 \uD83D\uDE00""#).string == "\u{1f600} \u{1f600}")
    }

    @Test(
        "everything else is refused",
        arguments: [
            "", " ", "nul", "nulll", "True", "01", "1.", ".5", "+1", "-", "1e", "1e+", "0x1", "NaN", "\"", "\"a", "\"\\\"",
            #""\x""#, #""\u12"#, #""\u12g4""#, #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#, "\"\n\"", "[", "[1", "[1,", "[1,]",
            "[,]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}", "[1 2]", "1 2", "{}}",
            "// x\n1", "'a'", #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{"é":1,"é":2}"#,
        ])
    func refused(json: String) {
        #expect(throws: SPIFFEError(.invalidJSON, "")) { try parse(json) }
    }

    @Test("no prefix of a document crashes or passes for one")
    func truncated() throws {
        let document = Array(#"{"keys":[{"x":"\u00e9\ud83d\ude00","n":-1.5e3,"t":true,"z":null}]}"#.utf8)
        for length in 0..<document.count {
            #expect(throws: SPIFFEError.self) { try JSONValue.parse(Array(document[..<length])) }
        }
        _ = try JSONValue.parse(document)
    }

    @Test("every byte in the place of every other is survived")
    func mutated() {
        let document = Array(#"{"k":[1,"a\n",{}]}"#.utf8)
        for index in document.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = document
                changed[index] = byte
                _ = try? JSONValue.parse(changed)
            }
        }
    }

    @Test("nesting and size are bounded")
    func bounds() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONValue.parse(nested(32))
        #expect(throws: SPIFFEError.self) { try JSONValue.parse(nested(33)) }
        #expect(throws: SPIFFEError.self) { try JSONValue.parse(Array(repeating: UInt8(ascii: "["), count: 1_000_000)) }
        #expect(throws: SPIFFEError.self) { try JSONValue.parse(Array("[1]".utf8), maximumLength: 2) }
        #expect(throws: SPIFFEError.self) { try parse(String(repeating: "9", count: 65)) }
    }

    @Test("text that is not UTF-8 is refused")
    func encoding() {
        for bytes: [UInt8] in [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf8, 0x88, 0x80, 0x80], [0xc3]] {
            let quote = UInt8(ascii: "\"")
            #expect(throws: SPIFFEError.self) { try JSONValue.parse([quote] + bytes + [quote]) }
        }
    }

    @Test("numbers are read as what they can be read as")
    func numbers() throws {
        #expect(try parse("9223372036854775807").integer == .max)
        #expect(try parse("9223372036854775808").integer == nil)
        #expect(try parse("1.5").integer == nil)
        #expect(try parse("1.5").double == 1.5)
        #expect(try parse("1e999").double == nil)
    }

    @Test("objects are equal whatever the order of their members")
    func equality() throws {
        #expect(try parse(#"{"a":1,"b":2}"#) == parse(#"{"b":2,"a":1}"#))
        #expect(try parse(#"{"a":1,"b":2}"#) != parse(#"{"a":1,"c":2}"#))
        #expect(try parse(#"{"a":1}"#) != parse(#"{"a":1,"b":2}"#))
    }

    @Test("base64 is read strictly in both alphabets")
    func base64() {
        for bytes: [UInt8] in [[], [0], [0xfb, 0xff], [1, 2, 3], Array(0...255)] {
            for alphabet in [Base64.Alphabet.standard, .url] {
                #expect(Base64.decode(Base64.encode(bytes, alphabet).utf8, alphabet) == bytes)
            }
        }
        #expect(Base64.encode([0xfb, 0xff], .url) == "-_8")
        #expect(Base64.encode([0xfb, 0xff], .standard) == "+/8=")
        for text in ["A", "AA=", "AB", "-_8=", "+/8", "A A", "AA\n", "=", "AAAAA", "\u{e9}A"] {
            #expect(Base64.decode(text.utf8, .url) == nil, "\(text)")
        }
        for text in ["A", "AA", "AA=", "AB==", "A===", "====", "-_8=", "AA==AA==", "=AAA"] {
            #expect(Base64.decode(text.utf8, .standard) == nil, "\(text)")
        }
    }
}
