// SPDX-License-Identifier: Apache-2.0

/// Builds the same tree from the JSON form. Keys may repeat: they mean repeated blocks.
struct JSONParser {
    private var cursor: HCLCursor
    private let limits: HCL.Limits
    private var depth = 0

    init(_ source: [UInt8], limits: HCL.Limits) {
        cursor = HCLCursor(source)
        self.limits = limits
    }

    mutating func parse() throws(HCLError) -> HCLObject {
        _ = try next()
        let root = try object(cursor.position)
        let after = try next()
        guard after == HCLCursor.end else {
            throw HCLError(cursor.position, "unexpected text after the closing brace")
        }
        return root
    }

    private mutating func next() throws(HCLError) -> UInt32 {
        while true {
            let scalar = try cursor.next()
            switch scalar {
            case 0x20, 0x09, 0x0A, 0x0D: continue
            default: return scalar
            }
        }
    }

    private mutating func expect(_ scalar: Unicode.Scalar) throws(HCLError) {
        let found = try next()
        guard found == scalar.value else { throw unexpected(found, "'\(scalar)'") }
    }

    private func unexpected(_ scalar: UInt32, _ wanted: String) -> HCLError {
        let found =
            scalar == HCLCursor.end ? "the end" : Unicode.Scalar(scalar).map { "'\($0)'" } ?? "an illegal character"
        return HCLError(cursor.position, "expected \(wanted), got \(found)")
    }

    private mutating func enter() throws(HCLError) {
        guard depth < limits.depth else {
            throw HCLError(cursor.position, "more than \(limits.depth) objects and lists inside one another")
        }
        depth += 1
    }

    private mutating func value() throws(HCLError) -> HCLNode {
        let scalar = try next()
        let position = cursor.position
        switch scalar {
        case ascii("{"): return .object(try object(position))
        case ascii("["): return .list(try list(position))
        case ascii("\""): return .literal(HCLLiteral(.string, try string(), at: position))
        case ascii("-"), ascii("0")...ascii("9"): return .literal(try number(position))
        case ascii("a")...ascii("z"):
            let start = cursor.startOfLast
            while (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(cursor.peek) { _ = try cursor.next() }
            let text = cursor.text(from: start, to: cursor.offset)
            switch text {
            case "true", "false": return .literal(HCLLiteral(.bool, text, at: position))
            case "null": return .literal(HCLLiteral(.null, "", at: position))
            default: throw HCLError(position, "expected a value, got \(text)")
            }
        default: throw unexpected(scalar, "a value")
        }
    }

    /// After the opening brace.
    private mutating func object(_ start: HCLPosition) throws(HCLError) -> HCLObject {
        try enter()
        defer { depth -= 1 }
        var items: [HCLItem] = []
        var scalar = try next()
        if scalar == ascii("}") { return HCLObject([], at: start) }
        while true {
            guard scalar == ascii("\"") else { throw unexpected(scalar, "a key in quotes") }
            let position = cursor.position
            let key = HCLKey(try string(), at: position)
            try expect(":")
            items.append(HCLItem([key], try value()))
            scalar = try next()
            if scalar == ascii("}") { return HCLObject(items, at: start) }
            guard scalar == ascii(",") else { throw unexpected(scalar, "',' or '}'") }
            scalar = try next()
        }
    }

    /// After the opening bracket.
    private mutating func list(_ start: HCLPosition) throws(HCLError) -> HCLList {
        try enter()
        defer { depth -= 1 }
        var elements: [HCLNode] = []
        while true {
            if try next() == ascii("]") { return HCLList(elements, at: start) }
            cursor.back()
            elements.append(try value())
            let scalar = try next()
            if scalar == ascii("]") { return HCLList(elements, at: start) }
            guard scalar == ascii(",") else { throw unexpected(scalar, "',' or ']'") }
        }
    }

    private mutating func number(_ position: HCLPosition) throws(HCLError) -> HCLLiteral {
        let start = cursor.startOfLast
        var isFloat = false
        while true {
            let byte = cursor.peek
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): break
            case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                isFloat = true
            default:
                let text = cursor.text(from: start, to: cursor.offset)
                guard text != "-", !isFloat || Double(text) != nil else {
                    throw HCLError(position, "illegal number \(text)")
                }
                return HCLLiteral(isFloat ? .float : .number, text, at: position)
            }
            _ = try cursor.next()
        }
    }

    /// After the opening quote.
    private mutating func string() throws(HCLError) -> String {
        let opening = cursor.position
        var out: [UInt8] = []
        while true {
            let scalar = try cursor.next()
            switch scalar {
            case ascii("\""): return String(decoding: out, as: UTF8.self)
            case HCLCursor.end, 0x0A: throw HCLError(opening, "literal not terminated")
            case ascii("\\"): out.append(contentsOf: Array(String(Character(try escape())).utf8))
            default: out.append(contentsOf: cursor.source[cursor.startOfLast..<cursor.offset])
            }
        }
    }

    private mutating func escape() throws(HCLError) -> Unicode.Scalar {
        switch try cursor.next() {
        case ascii("\""): return "\""
        case ascii("\\"): return "\\"
        case ascii("/"): return "/"
        case ascii("b"): return "\u{8}"
        case ascii("f"): return "\u{C}"
        case ascii("n"): return "\n"
        case ascii("r"): return "\r"
        case ascii("t"): return "\t"
        case ascii("u"):
            let unit = try codeUnit()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            guard (0xD800..<0xDC00).contains(unit), try cursor.next() == ascii("\\"), try cursor.next() == ascii("u")
            else { break }
            let low = try codeUnit()
            guard (0xDC00..<0xE000).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
            else { break }
            return scalar
        default: break
        }
        throw HCLError(cursor.position, "illegal char escape")
    }

    private mutating func codeUnit() throws(HCLError) -> UInt32 {
        guard
            let value = HCLUnquote.digits(cursor.source[...], from: cursor.offset, count: 4, base: 16)
        else { throw HCLError(cursor.position, "illegal char escape") }
        for _ in 0..<4 { _ = try cursor.next() }
        return value
    }
}
