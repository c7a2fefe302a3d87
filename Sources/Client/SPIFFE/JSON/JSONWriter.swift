// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// The value as JSON text in UTF-8.
    /// - Parameter indent: Spaces per level; `nil` for one line without spaces.
    public func text(indent: Int? = nil) -> [UInt8] {
        var out: [UInt8] = []
        write(into: &out, indent: indent, level: 0)
        return out
    }

    private func write(into out: inout [UInt8], indent: Int?, level: Int) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let digits): out.append(contentsOf: digits.utf8)
        case .string(let text): Self.write(text, into: &out)
        case .array(let elements):
            Self.list(elements, "[", "]", into: &out, indent: indent, level: level) { element, out in
                element.write(into: &out, indent: indent, level: level + 1)
            }
        case .object(let object):
            Self.list(object.members, "{", "}", into: &out, indent: indent, level: level) { member, out in
                Self.write(member.name, into: &out)
                out.append(contentsOf: (indent == nil ? ":" : ": ").utf8)
                member.value.write(into: &out, indent: indent, level: level + 1)
            }
        }
    }

    private static func list<Element>(
        _ elements: [Element], _ open: String, _ close: String, into out: inout [UInt8], indent: Int?, level: Int,
        _ write: (Element, inout [UInt8]) -> Void
    ) {
        out.append(contentsOf: open.utf8)
        for (position, element) in elements.enumerated() {
            if position > 0 { out.append(UInt8(ascii: ",")) }
            newline(into: &out, indent: indent, level: level + 1)
            write(element, &out)
        }
        if !elements.isEmpty { newline(into: &out, indent: indent, level: level) }
        out.append(contentsOf: close.utf8)
    }

    private static func newline(into out: inout [UInt8], indent: Int?, level: Int) {
        guard let indent else { return }
        out.append(0x0a)
        out.append(contentsOf: repeatElement(0x20, count: indent * level))
    }

    /// Escapes like Go's encoder, which also keeps text safe inside HTML: consumers compare documents byte by byte.
    private static func write(_ text: String, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out.append(contentsOf: "\\\"".utf8)
            case "\\": out.append(contentsOf: "\\\\".utf8)
            case "\n": out.append(contentsOf: "\\n".utf8)
            case "\r": out.append(contentsOf: "\\r".utf8)
            case "\t": out.append(contentsOf: "\\t".utf8)
            case "\u{8}": out.append(contentsOf: "\\b".utf8)
            case "\u{c}": out.append(contentsOf: "\\f".utf8)
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..<"\u{20}":
                let hex = String(scalar.value, radix: 16)
                out.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - hex.count) + hex).utf8)
            default: out.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
