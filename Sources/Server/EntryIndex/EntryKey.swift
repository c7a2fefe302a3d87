// SPDX-License-Identifier: Apache-2.0

/// An entry id in the least memory: nearly all are UUIDs.
enum EntryKey: Hashable, Sendable {
    case uuid(UInt64, UInt64)
    case text(String)

    init(_ id: String) {
        self = Self.parsed(id) ?? .text(id)
    }

    /// Only the form that `text` gives back: 36 characters, lower case.
    private static func parsed(_ id: String) -> EntryKey? {
        var id = id
        return id.withUTF8 { bytes in
            guard bytes.count == 36 else { return nil }
            var words: (UInt64, UInt64) = (0, 0)
            for position in 0..<36 {
                let byte = unsafe bytes[position]
                if position == 8 || position == 13 || position == 18 || position == 23 {
                    guard byte == UInt8(ascii: "-") else { return nil }
                    continue
                }
                let digit: UInt8
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
                default: return nil
                }
                if position < 18 {
                    words.0 = words.0 << 4 | UInt64(digit)
                } else {
                    words.1 = words.1 << 4 | UInt64(digit)
                }
            }
            return .uuid(words.0, words.1)
        }
    }

    var text: String {
        switch self {
        case .text(let text): return text
        case .uuid:
            var out: [UInt8] = []
            out.reserveCapacity(36)
            forEachByte { out.append($0) }
            return String(decoding: out, as: UTF8.self)
        }
    }

    /// The text's UTF-8 bytes, without making the text.
    func forEachByte(_ body: (UInt8) -> Void) {
        switch self {
        case .text(let text): for byte in text.utf8 { body(byte) }
        case .uuid(let high, let low):
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 { body(UInt8(ascii: "-")) }
                let word = digit < 16 ? high : low
                let value = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (digit & 15))) & 15
                body(value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
            }
        }
    }
}
