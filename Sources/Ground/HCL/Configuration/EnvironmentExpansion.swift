// SPDX-License-Identifier: Apache-2.0

/// Puts environment variables into a text: `$NAME` and `${NAME}` become values, `$$` a dollar sign.
///
/// An unset name becomes nothing. `${}` and an open `${` vanish; a dollar sign before anything else stays. There are
/// no default values.
package enum EnvironmentExpansion {
    /// Expands the whole of `text`, comments included.
    package static func expand(_ text: [UInt8], _ environment: [String: String]) -> [UInt8] {
        guard text.contains(UInt8(ascii: "$")) else { return text }
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            guard text[index] == UInt8(ascii: "$"), index + 1 < text.count else {
                out.append(text[index])
                index += 1
                continue
            }
            let (name, width) = name(text[(index + 1)...])
            if let name {
                let key = String(decoding: name, as: UTF8.self)
                out.append(contentsOf: key == "$" ? Array("$".utf8) : Array((environment[key] ?? "").utf8))
            } else if width == 0 {
                out.append(UInt8(ascii: "$"))
            }
            index += 1 + width
        }
        return out
    }

    /// The name that follows a dollar sign and how many bytes it takes up there.
    private static func name(_ rest: ArraySlice<UInt8>) -> (ArraySlice<UInt8>?, Int) {
        let start = rest.startIndex
        guard rest[start] == UInt8(ascii: "{") else {
            if isSpecial(rest[start]) { return (rest[start...start], 1) }
            let name = rest.prefix(while: isNamePart)
            return name.isEmpty ? (nil, 0) : (name, name.count)
        }
        if rest.count > 2, isSpecial(rest[start + 1]), rest[start + 2] == UInt8(ascii: "}") {
            return (rest[start + 1...start + 1], 3)
        }
        guard let close = rest.firstIndex(of: UInt8(ascii: "}")) else { return (nil, 1) }
        return close == start + 1 ? (nil, 2) : (rest[start + 1..<close], close - start + 1)
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        isDigit(UInt32(byte)) || "*#$@!?-".utf8.contains(byte)
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || isDigit(UInt32(byte))
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
