// SPDX-License-Identifier: Apache-2.0

/// An entry id in the least memory: nearly all are UUIDs.
enum EntryKey: Hashable, Sendable {
    case uuid(UInt64, UInt64)
    case text(String)

    init(_ id: String) {
        var copy = id
        self = copy.withUTF8 { unsafe Self.parsed($0) } ?? .text(id)
    }

    init(_ id: UnsafeBufferPointer<UInt8>) {
        self = unsafe Self.parsed(id) ?? .text(String(decoding: id, as: UTF8.self))
    }

    /// Only the form that `text` gives back: 36 characters, lower case.
    private static func parsed(_ bytes: UnsafeBufferPointer<UInt8>) -> EntryKey? {
        guard bytes.count == 36 else { return nil }
        let hyphen = UInt8(ascii: "-")
        guard unsafe bytes[8] == hyphen && bytes[13] == hyphen && bytes[18] == hyphen && bytes[23] == hyphen else { return nil }
        let raw = UnsafeRawBufferPointer(bytes)
        func four(_ place: Int) -> UInt64 {
            unsafe UInt64(UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
        }
        guard let first = hexadecimal(four(0) | four(4) << 32), let second = hexadecimal(four(9) | four(14) << 32),
            let third = hexadecimal(four(19) | four(24) << 32), let fourth = hexadecimal(four(28) | four(32) << 32)
        else { return nil }
        return .uuid(first << 32 | second, third << 32 | fourth)
    }

    /// The number that eight characters, the first of them in the lowest byte, are in lower-case hexadecimal; all at once.
    private static func hexadecimal(_ characters: UInt64) -> UInt64? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let isLetter = (characters >> 6) & ones
        var digits = (characters & (0x0f * ones)) + isLetter * 9
        // What the digits are written as is what was read, and those above 9 are the letters.
        guard digits + 0x30 * ones + isLetter * 0x27 == characters, ((digits + 6 * ones) >> 4) & ones == isLetter,
            digits & (0xf0 * ones) == 0
        else { return nil }
        digits = digits.byteSwapped
        digits = (digits | digits >> 4) & 0x00ff_00ff_00ff_00ff
        digits = (digits | digits >> 8) & 0x0000_ffff_0000_ffff
        return (digits | digits >> 16) & 0xffff_ffff
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
