// SPDX-License-Identifier: Apache-2.0

/// Turns the inside of string literals and heredocs into their values.
enum HCLUnquote {
    /// Resolves escapes outside `${…}`; what is inside stays as written.
    ///
    /// - Parameter body: What is between the quotes.
    /// - Returns: `nil` when it is not a valid literal.
    static func string(_ body: ArraySlice<UInt8>) -> String? {
        guard body.contains(where: { $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "$") || $0 == 0x0A }) else {
            return String(decoding: body, as: UTF8.self)
        }
        var out: [UInt8] = []
        out.reserveCapacity(body.count)
        var index = body.startIndex
        while index < body.endIndex {
            let byte = body[index]
            if byte == UInt8(ascii: "$"), index + 1 < body.endIndex, body[index + 1] == UInt8(ascii: "{") {
                let end = interpolationEnd(body, from: index + 2)
                guard let end else { return nil }
                out.append(contentsOf: body[index..<end])
                index = end
            } else if byte == 0x0A {
                return nil
            } else if byte == UInt8(ascii: "\\") {
                guard let next = escape(body, at: index + 1, into: &out) else { return nil }
                index = next
            } else {
                out.append(byte)
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func interpolationEnd(_ body: ArraySlice<UInt8>, from start: Int) -> Int? {
        var braces = 1
        for index in start..<body.endIndex {
            if body[index] == UInt8(ascii: "{") { braces += 1 }
            if body[index] == UInt8(ascii: "}") { braces -= 1 }
            if braces == 0 { return index + 1 }
        }
        return nil
    }

    private static func escape(_ body: ArraySlice<UInt8>, at index: Int, into out: inout [UInt8]) -> Int? {
        guard index < body.endIndex else { return nil }
        switch body[index] {
        case UInt8(ascii: "a"): out.append(0x07)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "v"): out.append(0x0B)
        case UInt8(ascii: "\\"), UInt8(ascii: "\""): out.append(body[index])
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            guard let value = digits(body, from: index, count: 3, base: 8), value < 256 else { return nil }
            out.append(UInt8(value))
            return index + 3
        case UInt8(ascii: "x"):
            guard let value = digits(body, from: index + 1, count: 2, base: 16) else { return nil }
            out.append(UInt8(value))
            return index + 3
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            let count = body[index] == UInt8(ascii: "u") ? 4 : 8
            guard let value = digits(body, from: index + 1, count: count, base: 16), let scalar = Unicode.Scalar(value)
            else { return nil }
            out.append(contentsOf: Array(String(Character(scalar)).utf8))
            return index + 1 + count
        default: return nil
        }
        return index + 1
    }

    static func digits(_ body: ArraySlice<UInt8>, from start: Int, count: Int, base: UInt32) -> UInt32? {
        guard start + count <= body.endIndex else { return nil }
        var value: UInt32 = 0
        for byte in body[start..<start + count] {
            let digit: UInt32
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt32(byte) - 0x30
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = UInt32(byte) - 0x61 + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = UInt32(byte) - 0x41 + 10
            default: return nil
            }
            guard digit < base else { return nil }
            value = value &* base &+ digit
        }
        return value
    }

    /// Takes `margin`, the space before the closing anchor, off every line, provided all lines have it.
    static func unindented(_ body: ArraySlice<UInt8>, by margin: ArraySlice<UInt8>) -> [UInt8] {
        guard !margin.isEmpty else { return Array(body) }
        var lines = body.split(separator: 0x0A, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard lines.allSatisfy({ $0.starts(with: margin) }) else { return Array(body) }
        return Array(lines.map { Array($0.dropFirst(margin.count)) + [0x0A] }.joined())
    }
}
