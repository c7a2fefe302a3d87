// SPDX-License-Identifier: Apache-2.0

/// Cuts an HCL text into tokens. Comments and space are dropped.
struct HCLScanner {
    private var cursor: HCLCursor

    init(_ source: [UInt8]) { cursor = HCLCursor(source) }

    /// The next token; at the end, the end token again and again.
    mutating func next() throws(HCLError) -> HCLToken {
        while true {
            let scalar = try skipSpace()
            let position = cursor.position
            let start = cursor.startOfLast
            if scalar == ascii("#") || scalar == ascii("/") {
                try skipComment(scalar)
                continue
            }
            if scalar == ascii("\"") { return try string(start, position) }
            if scalar == ascii("<") { return try heredoc(start, position) }
            let kind = try word(scalar, position)
            let text = kind == .end ? "" : cursor.text(from: start, to: cursor.offset)
            if kind == .identifier, text == "true" || text == "false" {
                return HCLToken(kind: .bool, text: text, source: text, position: position)
            }
            return HCLToken(kind: kind, text: text, source: text, position: position)
        }
    }

    private mutating func skipSpace() throws(HCLError) -> UInt32 {
        while true {
            let scalar = try cursor.next()
            switch scalar {
            case 0x20, 0x09, 0x0A, 0x0D: continue
            default: return scalar
            }
        }
    }

    private mutating func skipComment(_ first: UInt32) throws(HCLError) {
        if first == ascii("/"), cursor.peek == UInt8(ascii: "*") {
            _ = try cursor.next()
            var last: UInt32 = 0
            while true {
                let scalar = try cursor.next()
                guard scalar != HCLCursor.end else { throw HCLError(cursor.position, "comment not terminated") }
                if last == ascii("*"), scalar == ascii("/") { return }
                last = scalar
            }
        }
        if first == ascii("/"), cursor.peek != UInt8(ascii: "/") {
            throw HCLError(cursor.position, "expected '/' for comment")
        }
        while cursor.offset < cursor.source.count, try cursor.next() != 0x0A {}
    }

    /// Everything that is neither a comment nor a string.
    private mutating func word(_ scalar: UInt32, _ position: HCLPosition) throws(HCLError) -> HCLToken.Kind {
        switch scalar {
        case HCLCursor.end: return .end
        case ascii("["): return .leftBracket
        case ascii("]"): return .rightBracket
        case ascii("{"): return .leftBrace
        case ascii("}"): return .rightBrace
        case ascii(","): return .comma
        case ascii("="): return .assign
        case ascii("+"): return .add
        case ascii("."):
            guard isDigit(UInt32(cursor.peek)) else { return .period }
            try skipDigits()
            try exponent()
            return .float
        case ascii("-"):
            guard isDigit(UInt32(cursor.peek)) else { return .subtract }
            return try number(try cursor.next())
        default:
            if isDigit(scalar) { return try number(scalar) }
            guard isLetter(scalar) else { throw HCLError(position, "illegal character") }
            while true {
                let next = try cursor.next()
                if isLetter(next) || isAnyDigit(next) || next == ascii("-") || next == ascii(".") { continue }
                cursor.back()
                return .identifier
            }
        }
    }

    private mutating func number(_ first: UInt32) throws(HCLError) -> HCLToken.Kind {
        if first == ascii("0"), cursor.peek | 0x20 == UInt8(ascii: "x") {
            _ = try cursor.next()
            let start = cursor.offset
            while isHexDigit(cursor.peek) { _ = try cursor.next() }
            guard cursor.offset > start else { throw HCLError(cursor.position, "illegal hexadecimal number") }
            return .number
        }
        let start = cursor.offset
        try skipDigits()
        var isFloat = false
        if cursor.peek == UInt8(ascii: ".") {
            _ = try cursor.next()
            isFloat = true
            try skipDigits()
        } else if first == ascii("0"), cursor.peek | 0x20 != UInt8(ascii: "e"),
            cursor.source[start..<cursor.offset].contains(where: { $0 >= UInt8(ascii: "8") })
        {
            throw HCLError(cursor.position, "illegal octal number")
        }
        if try exponent() { isFloat = true }
        return isFloat ? .float : .number
    }

    private mutating func skipDigits() throws(HCLError) {
        while isDigit(UInt32(cursor.peek)) { _ = try cursor.next() }
    }

    @discardableResult
    private mutating func exponent() throws(HCLError) -> Bool {
        guard cursor.peek | 0x20 == UInt8(ascii: "e") else { return false }
        _ = try cursor.next()
        if cursor.peek == UInt8(ascii: "+") || cursor.peek == UInt8(ascii: "-") { _ = try cursor.next() }
        guard isDigit(UInt32(cursor.peek)) else { throw HCLError(cursor.position, "illegal exponent") }
        try skipDigits()
        return true
    }

    /// A quoted string. Inside `${…}` quotes and line ends are ordinary characters.
    private mutating func string(_ start: Int, _ position: HCLPosition) throws(HCLError) -> HCLToken {
        var braces = 0
        while true {
            let scalar = try cursor.next()
            if scalar == HCLCursor.end || (scalar == 0x0A && braces == 0) {
                throw HCLError(cursor.position, "literal not terminated")
            }
            if scalar == ascii("\""), braces == 0 { break }
            if braces == 0, scalar == ascii("$"), cursor.peek == UInt8(ascii: "{") {
                braces = 1
                _ = try cursor.next()
            } else if braces > 0, scalar == ascii("{") {
                braces += 1
            } else if braces > 0, scalar == ascii("}") {
                braces -= 1
            }
            if scalar == ascii("\\") { try escape() }
        }
        let quoted = cursor.source[start + 1..<cursor.offset - 1]
        guard let value = HCLUnquote.string(quoted) else { throw HCLError(position, "illegal string literal") }
        return HCLToken(
            kind: .string, text: value, source: cursor.text(from: start, to: cursor.offset), position: position)
    }

    /// Checks that what follows a backslash is an escape.
    private mutating func escape() throws(HCLError) {
        let scalar = try cursor.next()
        let digits: (count: Int, octal: Bool)
        switch scalar {
        case ascii("a"), ascii("b"), ascii("f"), ascii("n"), ascii("r"), ascii("t"), ascii("v"), ascii("\\"),
            ascii("\""):
            return
        case ascii("0")...ascii("7"): digits = (2, true)
        case ascii("x"): digits = (2, false)
        case ascii("u"): digits = (4, false)
        case ascii("U"): digits = (8, false)
        default: throw HCLError(cursor.position, "illegal char escape")
        }
        for _ in 0..<digits.count {
            let byte = cursor.peek
            guard isHexDigit(byte), !digits.octal || byte < UInt8(ascii: "8") else {
                throw HCLError(cursor.position, "illegal char escape")
            }
            _ = try cursor.next()
        }
    }

    /// `<<EOF` or `<<-EOF`, up to a line that holds the anchor alone.
    private mutating func heredoc(_ start: Int, _ position: HCLPosition) throws(HCLError) -> HCLToken {
        guard try cursor.next() == ascii("<") else {
            throw HCLError(cursor.position, "heredoc expected second '<', didn't see it")
        }
        let indented = cursor.peek == UInt8(ascii: "-")
        if indented { _ = try cursor.next() }
        let anchorStart = cursor.offset
        var scalar = try cursor.next()
        while isLetter(scalar) || isAnyDigit(scalar) { scalar = try cursor.next() }
        guard scalar != HCLCursor.end else { throw HCLError(cursor.position, "heredoc not terminated") }
        guard scalar == 0x0A else { throw HCLError(cursor.position, "invalid characters in heredoc anchor") }
        let anchor = cursor.source[anchorStart..<cursor.offset - 1]
        guard !anchor.isEmpty else { throw HCLError(cursor.position, "zero-length heredoc anchor") }

        let bodyStart = cursor.offset
        var lineStart = bodyStart
        while true {
            scalar = try cursor.next()
            guard scalar != HCLCursor.end else { throw HCLError(cursor.position, "heredoc not terminated") }
            guard scalar == 0x0A else { continue }
            let line = cursor.source[lineStart..<cursor.offset - 1]
            let content = line.drop { isSpace($0) }
            if content.count >= anchor.count, content.starts(with: anchor),
                content.dropFirst(anchor.count).allSatisfy({ $0 == UInt8(ascii: "\r") })
            {
                let margin = cursor.source[lineStart..<content.startIndex]
                let body = cursor.source[bodyStart..<lineStart]
                let value = indented ? HCLUnquote.unindented(body, by: margin) : Array(body) + Array(margin)
                return HCLToken(
                    kind: .heredoc, text: String(decoding: value, as: UTF8.self),
                    source: cursor.text(from: start, to: cursor.offset), position: position)
            }
            lineStart = cursor.offset
        }
    }
}

func ascii(_ scalar: Unicode.Scalar) -> UInt32 { scalar.value }

func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

func isDigit(_ scalar: UInt32) -> Bool { scalar >= 0x30 && scalar <= 0x39 }

func isHexDigit(_ byte: UInt8) -> Bool {
    isDigit(UInt32(byte)) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
}

private func isLetter(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 { return scalar == 0x5F || (scalar | 0x20 >= 0x61 && scalar | 0x20 <= 0x7A) }
    guard let properties = Unicode.Scalar(scalar)?.properties else { return false }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return true
    default: return false
    }
}

private func isAnyDigit(_ scalar: UInt32) -> Bool {
    if scalar < 0x80 { return isDigit(scalar) }
    return Unicode.Scalar(scalar)?.properties.generalCategory == .decimalNumber
}
