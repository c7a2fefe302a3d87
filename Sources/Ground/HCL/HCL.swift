// SPDX-License-Identifier: Apache-2.0

/// Reads configuration texts in HCL version 1 or its JSON form.
package enum HCL {
    /// What a text may cost. Beyond a limit it is refused, so hostile input can neither exhaust memory nor the stack.
    package struct Limits: Sendable {
        /// Most bytes of a text.
        package var bytes = 4 << 20
        /// Most blocks and lists inside one another.
        package var depth = 100
        /// Refuses a second `key = value` of one key in one object. Texts to be reprinted, not obeyed, may have them.
        package var refusesRepeatedArguments = true

        package init() {}
    }

    /// Parses a text. It is JSON when its first character that is not space is a brace, else HCL.
    ///
    /// - Throws: `HCLError` at the first place that is wrong.
    package static func parse(_ text: [UInt8], limits: Limits = Limits()) throws(HCLError) -> HCLObject {
        guard text.count <= limits.bytes else {
            throw HCLError(HCLPosition(line: 1, column: 1), "the text is larger than \(limits.bytes) bytes")
        }
        let source = normalized(text)
        if isJSON(source) {
            var parser = JSONParser(source, limits: limits)
            return try parser.parse()
        }
        var parser = HCLParser(source, limits: limits)
        return try parser.parse()
    }

    /// Parses a text.
    package static func parse(_ text: String, limits: Limits = Limits()) throws(HCLError) -> HCLObject {
        try parse(Array(text.utf8), limits: limits)
    }

    /// Windows line ends become plain ones, and a byte order mark at the beginning goes.
    private static func normalized(_ text: [UInt8]) -> [UInt8] {
        let body = text.starts(with: [0xEF, 0xBB, 0xBF]) ? text[3...] : text[...]
        guard body.contains(UInt8(ascii: "\r")) else { return Array(body) }
        var out: [UInt8] = []
        out.reserveCapacity(body.count)
        for index in body.indices {
            let next = index + 1
            if body[index] == UInt8(ascii: "\r"), next < body.endIndex, body[next] == UInt8(ascii: "\n") { continue }
            out.append(body[index])
        }
        return out
    }

    private static func isJSON(_ source: [UInt8]) -> Bool {
        for byte in source {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): continue
            default: return byte == UInt8(ascii: "{")
            }
        }
        return false
    }
}
