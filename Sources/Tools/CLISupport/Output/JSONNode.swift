// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// A JSON value as the original's printers give it: members sorted, nulls left out, one line.
package enum JSONNode: Sendable, Hashable {
    case object([String: JSONNode])
    /// An object whose members keep their order, as Go gives a struct's.
    case record([Member])
    case array([JSONNode])
    case string(String)
    /// A number, written as it is.
    case number(String)
    case bool(Bool)
    case null

    package struct Member: Sendable, Hashable {
        package let name: String
        package let value: JSONNode

        package init(_ name: String, _ value: JSONNode) {
            self.name = name
            self.value = value
        }
    }

    package static func int(_ value: some BinaryInteger) -> JSONNode { .number(String(value)) }
    /// 64-bit integers are strings in protobuf's JSON.
    package static func int64(_ value: some BinaryInteger) -> JSONNode { .string(String(value)) }
    package static func bytes(_ value: Data) -> JSONNode { .string(value.base64EncodedString()) }
    package static func strings(_ values: [String]) -> JSONNode { .array(values.map { .string($0) }) }

    /// Compact text, without a final newline. Characters that mean something to HTML are escaped.
    package var text: String { encoded(escapingHTML: true) }

    /// Compact text, without a final newline.
    package func encoded(escapingHTML: Bool) -> String {
        var out: [UInt8] = []
        write(to: &out, escapingHTML)
        return String(decoding: out, as: UTF8.self)
    }

    private func write(to out: inout [UInt8], _ html: Bool) {
        switch self {
        case .object(let members):
            Self.write(members.sorted { $0.key < $1.key }.map { Member($0.key, $0.value) }, to: &out, html)
        case .record(let members): Self.write(members, to: &out, html)
        case .array(let values):
            out.append(UInt8(ascii: "["))
            var first = true
            for value in values where !value.isNull {
                if !first { out.append(UInt8(ascii: ",")) }
                first = false
                value.write(to: &out, html)
            }
            out.append(UInt8(ascii: "]"))
        case .string(let text): Self.write(text, to: &out, html)
        case .number(let text): out.append(contentsOf: text.utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .null: out.append(contentsOf: "null".utf8)
        }
    }

    private static func write(_ members: [Member], to out: inout [UInt8], _ html: Bool) {
        out.append(UInt8(ascii: "{"))
        var first = true
        for member in members where !member.value.isNull {
            if !first { out.append(UInt8(ascii: ",")) }
            first = false
            write(member.name, to: &out, html)
            out.append(UInt8(ascii: ":"))
            member.value.write(to: &out, html)
        }
        out.append(UInt8(ascii: "}"))
    }

    private var isNull: Bool { if case .null = self { true } else { false } }

    private static func write(_ text: String, to out: inout [UInt8], _ html: Bool) {
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): out.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): out.append(contentsOf: "\\\\".utf8)
            case 0x08: out.append(contentsOf: "\\b".utf8)
            case 0x0c: out.append(contentsOf: "\\f".utf8)
            case 0x0a: out.append(contentsOf: "\\n".utf8)
            case 0x0d: out.append(contentsOf: "\\r".utf8)
            case 0x09: out.append(contentsOf: "\\t".utf8)
            case 0..<0x20: escape(byte, to: &out)
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
                if html { escape(byte, to: &out) } else { out.append(byte) }
            case 0xa8, 0xa9:
                // U+2028 and U+2029 end lines in JavaScript; Go escapes them.
                if out.suffix(2) == [0xe2, 0x80] {
                    out.removeLast(2)
                    out.append(contentsOf: (byte == 0xa8 ? "\\u2028" : "\\u2029").utf8)
                } else {
                    out.append(byte)
                }
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func escape(_ byte: UInt8, to out: inout [UInt8]) {
        let hex = String(byte, radix: 16)
        out.append(contentsOf: ("\\u00" + (hex.utf8.count < 2 ? "0" : "") + hex).utf8)
    }
}
