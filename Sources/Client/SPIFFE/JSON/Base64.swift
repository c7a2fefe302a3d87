// SPDX-License-Identifier: Apache-2.0

/// Base64 in both alphabets, strict: no stray characters, no bits left over.
/// > Spec: RFC 4648 §4, §5.
package enum Base64 {
    package enum Alphabet {
        /// `+/` with padding.
        case standard
        /// `-_` without padding.
        case url
    }

    package static func encode(_ bytes: some Collection<UInt8>, _ alphabet: Alphabet) -> String {
        let symbols = alphabet == .standard ? standardSymbols : urlSymbols
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        var buffer: UInt32 = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                out.append(symbols[Int(buffer >> UInt32(bits) & 63)])
            }
        }
        if bits > 0 { out.append(symbols[Int(buffer << UInt32(6 - bits) & 63)]) }
        if alphabet == .standard { while out.count % 4 != 0 { out.append(UInt8(ascii: "=")) } }
        return String(decoding: out, as: UTF8.self)
    }

    /// Returns `nil` when `text` is anything but one whole encoding.
    package static func decode(_ text: some BidirectionalCollection<UInt8>, _ alphabet: Alphabet) -> [UInt8]? {
        var count = text.count
        var symbols = text[...]
        if alphabet == .standard {
            guard count % 4 == 0 else { return nil }
            for _ in 0..<2 where symbols.last == UInt8(ascii: "=") {
                symbols.removeLast()
                count -= 1
            }
        }
        guard count % 4 != 1 else { return nil }
        let values = alphabet == .standard ? standardValues : urlValues
        var out: [UInt8] = []
        out.reserveCapacity(count * 3 / 4)
        var buffer: UInt32 = 0
        var bits = 0
        for symbol in symbols {
            let value = values[Int(symbol)]
            guard value < 64 else { return nil }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        guard buffer & ((1 << UInt32(bits)) - 1) == 0 else { return nil }
        return out
    }

    private static let shared = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
    private static let standardSymbols = shared + Array("+/".utf8)
    private static let urlSymbols = shared + Array("-_".utf8)
    private static let standardValues = values(standardSymbols)
    private static let urlValues = values(urlSymbols)

    private static func values(_ symbols: [UInt8]) -> [UInt8] {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, symbol) in symbols.enumerated() { table[Int(symbol)] = UInt8(value) }
        return table
    }
}
