// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// Parses a JSON text in UTF-8.
    ///
    /// Stricter than most: repeated member names are refused, since two readers may differ on which one counts.
    /// - Parameters:
    ///   - maximumLength: Most bytes of the text.
    ///   - maximumDepth: How deep arrays and objects may nest.
    /// - Throws: `invalid_json` with the byte offset of what was wrong.
    /// > Spec: RFC 8259.
    public static func parse(
        _ text: [UInt8], maximumLength: Int = 1 << 20, maximumDepth: Int = 32
    ) throws(SPIFFEError) -> JSONValue {
        guard text.count <= maximumLength else {
            throw SPIFFEError(.invalidJSON, "JSON text is larger than \(maximumLength) bytes")
        }
        var parser = JSONParser(bytes: text, maximumDepth: maximumDepth)
        return try parser.document()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let maximumDepth: Int
    var index = 0

    init(bytes: [UInt8], maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    mutating func document() throws(SPIFFEError) -> JSONValue {
        let result = try value(depth: 0)
        skipSpace()
        guard index == bytes.count else { throw error("unexpected text after the value") }
        return result
    }

    private func error(_ what: String) -> SPIFFEError { SPIFFEError(.invalidJSON, "\(what) at byte \(index)") }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0a, 0x0d: index += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func value(depth: Int) throws(SPIFFEError) -> JSONValue {
        skipSpace()
        guard index < bytes.count else { throw error("unexpected end of JSON text") }
        switch bytes[index] {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default: throw error("unexpected character")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(SPIFFEError) -> JSONValue {
        for expected in word.description.utf8 where !take(expected) { throw error("unexpected character") }
        return value
    }

    private mutating func object(depth: Int) throws(SPIFFEError) -> JSONObject {
        guard depth < maximumDepth else { throw error("nesting is too deep") }
        index += 1
        var members: [JSONObject.Member] = []
        var names: Set<String> = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return JSONObject() }
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw error("expected a member name") }
            let name = try string()
            guard names.insert(name).inserted else { throw error("duplicate member name") }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw error("expected a colon") }
            members.append(JSONObject.Member(name: name, value: try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return JSONObject(unique: members) }
            guard take(UInt8(ascii: ",")) else { throw error("expected a comma or closing brace") }
        }
    }

    private mutating func array(depth: Int) throws(SPIFFEError) -> [JSONValue] {
        guard depth < maximumDepth else { throw error("nesting is too deep") }
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return [] }
        while true {
            elements.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw error("expected a comma or closing bracket") }
        }
    }

    private mutating func number() throws(SPIFFEError) -> String {
        let start = index
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        guard index - start <= 64 else { throw error("number is too long") }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func digits() throws(SPIFFEError) {
        let start = index
        while index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) { index += 1 }
        guard index > start else { throw error("expected a digit") }
    }

    private mutating func string() throws(SPIFFEError) -> String {
        index += 1
        let start = index
        while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\") {
            guard bytes[index] >= 0x20 else { throw error("control character in a string") }
            index += 1
        }
        guard index < bytes.count else { throw error("unterminated string") }
        if bytes[index] == UInt8(ascii: "\"") {
            let text = try validated(bytes[start..<index])
            index += 1
            return text
        }
        return try escapedString(from: start)
    }

    /// The slow way, once a backslash was met.
    private mutating func escapedString(from start: Int) throws(SPIFFEError) -> String {
        var buffer = Array(bytes[start..<index])
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return try validated(buffer[...])
            case UInt8(ascii: "\\"): try escape(into: &buffer)
            case 0x00..<0x20: throw error("control character in a string")
            default: buffer.append(byte)
            }
        }
        throw error("unterminated string")
    }

    private mutating func escape(into buffer: inout [UInt8]) throws(SPIFFEError) {
        guard index < bytes.count else { throw error("unterminated string") }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0c)
        case UInt8(ascii: "n"): buffer.append(0x0a)
        case UInt8(ascii: "r"): buffer.append(0x0d)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"): buffer.append(contentsOf: Array(String(Character(try unicodeEscape())).utf8))
        default: throw error("unknown escape in a string")
        }
    }

    private mutating func unicodeEscape() throws(SPIFFEError) -> Unicode.Scalar {
        let first = try hexUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // A surrogate: only a high one followed by a low one means something.
        guard (0xd800..<0xdc00).contains(first), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw error("unpaired surrogate in a string")
        }
        let second = try hexUnit()
        guard (0xdc00..<0xe000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xd800) << 10 + UInt32(second) - 0xdc00)
        else { throw error("unpaired surrogate in a string") }
        return scalar
    }

    private mutating func hexUnit() throws(SPIFFEError) -> UInt16 {
        guard bytes.count - index >= 4 else { throw error("unterminated string") }
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue else {
                throw error("invalid hexadecimal digit in a string")
            }
            unit = unit << 4 | UInt16(digit)
            index += 1
        }
        return unit
    }

    private func validated(_ slice: ArraySlice<UInt8>) throws(SPIFFEError) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else { throw error("string is not valid UTF-8") }
        return text
    }
}
