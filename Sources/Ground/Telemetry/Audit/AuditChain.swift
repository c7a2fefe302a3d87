// SPDX-License-Identifier: Apache-2.0

import Crypto
import FoundationEssentials

/// The chain an audit log's lines form: each line has a number, names the line before, and is sealed with a key that is
/// replaced after every line and cannot be calculated back.
///
/// Whoever holds the first key can check every line; whoever gets hold of the present key can seal no earlier one. See
/// the decision record on the audit log.
struct AuditChain: Sendable, Equatable {
    static let keySize = 32
    /// What the first line names as the line before.
    static let origin = String(repeating: "0", count: 64)

    /// Number of the last sealed line; 0 before the first.
    private(set) var number: Int
    /// Seal of the last line, in hex.
    private(set) var seal: String
    /// Key of the next line.
    private(set) var key: [UInt8]

    /// The chain before its first line.
    init(firstKey: [UInt8]) { self.init(number: 0, seal: Self.origin, key: firstKey) }

    init(number: Int, seal: String, key: [UInt8]) {
        self.number = number
        self.seal = seal
        self.key = key
    }

    /// Seals the next line.
    /// - Parameter event: The event as JSON.
    /// - Returns: the line with its end.
    mutating func append(time: String, event: [UInt8]) -> [UInt8] {
        var line = Array("{\"seq\":\(number + 1),\"time\":\"\(time)\",\"prev\":\"\(seal)\",\"event\":".utf8)
        line.append(contentsOf: event)
        let own = Self.seal(line, key)
        line.append(contentsOf: ",\"mac\":\"\(own)\"}\n".utf8)
        advance(to: own)
        return line
    }

    /// Takes a line over that somebody sealed: its seal is right, and it follows.
    /// - Returns: whether it was taken over.
    mutating func accept(_ line: AuditLine) -> Bool {
        guard line.number == number + 1, line.previous == seal, Self.seal(line.sealed, key) == line.seal else {
            return false
        }
        advance(to: line.seal)
        return true
    }

    /// Whether the seal is that of the line's number, whatever came before. The chain must not be past it.
    func seals(_ line: AuditLine) -> Bool { Self.seal(line.sealed, key) == line.seal }

    /// Goes on with the line after `line`, which need not follow.
    mutating func resume(after line: AuditLine) {
        skip(to: line.number)
        advance(to: line.seal)
    }

    /// Forgets keys until that of line `target` is the present one.
    mutating func skip(to target: Int) {
        while number + 1 < target {
            number += 1
            key = Self.next(key)
        }
    }

    private mutating func advance(to own: String) {
        number += 1
        seal = own
        key = Self.next(key)
    }

    private static let step = Array("audit key of the next line".utf8)

    private static func next(_ key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: step, using: SymmetricKey(data: key)))
    }

    private static func seal(_ bytes: some DataProtocol, _ key: [UInt8]) -> String {
        hex(Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key))))
    }

    static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// - Returns: `nil` unless the text is that many bytes in hex.
    static func bytes(_ hex: some StringProtocol, count: Int) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count == count * 2 else { return nil }
        var out: [UInt8] = []
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Character(UnicodeScalar(digits[place])).hexDigitValue,
                let low = Character(UnicodeScalar(digits[place + 1])).hexDigitValue
            else { return nil }
            out.append(UInt8(high << 4 | low))
        }
        return out
    }
}

/// A line of an audit log, taken apart without trusting it.
package struct AuditLine: Sendable {
    package let number: Int
    /// RFC 3339, UTC.
    package let time: String
    let previous: String
    let seal: String
    /// Everything the seal is over.
    let sealed: ArraySlice<UInt8>
    /// The event, as JSON.
    package let event: ArraySlice<UInt8>

    /// Most bytes of a line.
    package static let maximumSize = 256 << 10
    /// Numbers beyond are nobody's: checking them would only take time.
    static let maximumNumber = 1 << 40

    /// - Parameter line: Without its end. `nil` for anything but a line as it is written here.
    package init?(_ line: ArraySlice<UInt8>) {
        var rest = line
        guard line.count <= Self.maximumSize, Self.take("{\"seq\":", &rest) else { return nil }
        let digits = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }
        guard digits.count <= 13, let number = Int(String(decoding: digits, as: UTF8.self)), number > 0,
            number <= Self.maximumNumber
        else { return nil }
        rest = rest.dropFirst(digits.count)
        guard Self.take(",\"time\":\"", &rest), let quote = rest.prefix(40).firstIndex(of: UInt8(ascii: "\"")) else {
            return nil
        }
        time = String(decoding: rest[..<quote], as: UTF8.self)
        rest = rest[quote...]
        guard Self.take("\",\"prev\":\"", &rest) else { return nil }
        previous = String(decoding: rest.prefix(64), as: UTF8.self)
        rest = rest.dropFirst(64)
        guard Self.take("\",\"event\":", &rest) else { return nil }
        let ending = 8 + 64 + 2
        guard rest.count > ending else { return nil }
        event = rest.dropLast(ending)
        rest = rest.suffix(ending)
        sealed = line[line.startIndex..<rest.startIndex]
        guard Self.take(",\"mac\":\"", &rest) else { return nil }
        seal = String(decoding: rest.prefix(64), as: UTF8.self)
        rest = rest.dropFirst(64)
        guard rest.elementsEqual("\"}".utf8) else { return nil }
        self.number = number
    }

    private static func take(_ text: String, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }
}
