// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// A JSON value as the original's printers give it: members sorted, nulls left out, one line.
package enum JSONNode: Sendable, Hashable {
    case object([String: JSONNode])
    case array([JSONNode])
    case string(String)
    /// A number, written as it is.
    case number(String)
    case bool(Bool)
    case null

    package static func int(_ value: some BinaryInteger) -> JSONNode { .number(String(value)) }
    /// 64-bit integers are strings in protobuf's JSON.
    package static func int64(_ value: some BinaryInteger) -> JSONNode { .string(String(value)) }
    package static func bytes(_ value: Data) -> JSONNode { .string(value.base64EncodedString()) }
    package static func strings(_ values: [String]) -> JSONNode { .array(values.map { .string($0) }) }

    /// Compact text, without a final newline.
    package var text: String {
        var out = ""
        write(to: &out)
        return out
    }

    private func write(to out: inout String) {
        switch self {
        case .object(let members):
            out += "{"
            var first = true
            for (name, value) in members.sorted(by: { $0.key < $1.key }) where value != .null {
                if !first { out += "," }
                first = false
                Self.write(name, to: &out)
                out += ":"
                value.write(to: &out)
            }
            out += "}"
        case .array(let values):
            out += "["
            var first = true
            for value in values where value != .null {
                if !first { out += "," }
                first = false
                value.write(to: &out)
            }
            out += "]"
        case .string(let text): Self.write(text, to: &out)
        case .number(let text): out += text
        case .bool(let value): out += value ? "true" : "false"
        case .null: out += "null"
        }
    }

    private static func write(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "<", ">", "&", "\u{2028}", "\u{2029}": out += escape(scalar)
            default:
                if scalar.value < 0x20 { out += escape(scalar) } else { out.unicodeScalars.append(scalar) }
            }
        }
        out += "\""
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        let hex = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    }
}
