// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// Escaping of texts in log lines. Nothing that comes from outside can end a line or forge a field.
enum LogText {
    private static let hex = Array("0123456789abcdef".utf8)

    /// Appends a text as it is when it holds nothing but letters, digits and `-._/@^+`, else in quotes.
    static func appendQuotedIfNeeded(_ text: String, to out: inout [UInt8]) {
        guard text.utf8.allSatisfy(isPlain) else { return appendQuoted(text, to: &out) }
        out.append(contentsOf: text.utf8)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "/"), UInt8(ascii: "@"), UInt8(ascii: "^"), UInt8(ascii: "+"):
            true
        default: false
        }
    }

    /// Quotes as a Go string literal.
    static func appendQuoted(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out.append(contentsOf: "\\\"".utf8)
            case "\\": out.append(contentsOf: "\\\\".utf8)
            case "\u{07}": out.append(contentsOf: "\\a".utf8)
            case "\u{08}": out.append(contentsOf: "\\b".utf8)
            case "\u{0C}": out.append(contentsOf: "\\f".utf8)
            case "\n": out.append(contentsOf: "\\n".utf8)
            case "\r": out.append(contentsOf: "\\r".utf8)
            case "\t": out.append(contentsOf: "\\t".utf8)
            case "\u{0B}": out.append(contentsOf: "\\v".utf8)
            case " "..."~": out.append(UInt8(truncatingIfNeeded: scalar.value))
            case _ where scalar.value < 0x80: appendHex(scalar.value, 2, "\\x", to: &out)
            case _ where scalar.isGraphic: out.append(contentsOf: String(scalar).utf8)
            default: appendEscape(scalar, to: &out)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    /// Appends a text for a terminal to show: as it is, but for what would steer the terminal or end the line, which is
    /// escaped as in JSON.
    static func appendShown(_ text: String, to out: inout [UInt8]) {
        guard !text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else { return out.append(contentsOf: text.utf8) }
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": out.append(contentsOf: "\\n".utf8)
            case "\r": out.append(contentsOf: "\\r".utf8)
            case "\t": out.append(contentsOf: "\\t".utf8)
            case _ where scalar.steersTerminal: appendEscape(scalar, to: &out)
            default: out.append(contentsOf: String(scalar).utf8)
            }
        }
    }

    private static func appendEscape(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
        if scalar.value < 0x10000 {
            appendHex(scalar.value, 4, "\\u", to: &out)
        } else {
            appendHex(scalar.value, 8, "\\U", to: &out)
        }
    }

    private static func appendHex(_ value: UInt32, _ width: Int, _ prefix: String, to out: inout [UInt8]) {
        out.append(contentsOf: prefix.utf8)
        for place in (0..<width).reversed() { out.append(hex[Int(value >> UInt32(place * 4) & 0xF)]) }
    }

    /// Quotes as a JSON string, also safe inside HTML.
    static func appendJSON(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out.append(contentsOf: "\\\"".utf8)
            case "\\": out.append(contentsOf: "\\\\".utf8)
            case "\u{08}": out.append(contentsOf: "\\b".utf8)
            case "\u{0C}": out.append(contentsOf: "\\f".utf8)
            case "\n": out.append(contentsOf: "\\n".utf8)
            case "\r": out.append(contentsOf: "\\r".utf8)
            case "\t": out.append(contentsOf: "\\t".utf8)
            case "<", ">", "&", "\u{2028}", "\u{2029}": appendHex(scalar.value, 4, "\\u", to: &out)
            case " "..."~": out.append(UInt8(truncatingIfNeeded: scalar.value))
            // Go writes DEL and C1 as they are; escaped, they are the same to a parser and nothing to a terminal.
            case _ where scalar.value < 0xA0: appendHex(scalar.value, 4, "\\u", to: &out)
            default: out.append(contentsOf: String(scalar).utf8)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
