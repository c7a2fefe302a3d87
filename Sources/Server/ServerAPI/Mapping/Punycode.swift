// SPDX-License-Identifier: Apache-2.0

/// Reads the ASCII form of a label that holds other letters.
/// > Spec: RFC 3492 §6.2, with the parameters of §5.
enum Punycode {
    private static let base: UInt32 = 36
    private static let tMin: UInt32 = 1
    private static let tMax: UInt32 = 26

    /// - Parameter text: What follows `xn--`; at most 63 bytes.
    /// - Returns: `nil` when it is no such form.
    static func decode(_ text: Substring.UTF8View) -> [Unicode.Scalar]? {
        guard !text.isEmpty, text.count <= 63 else { return nil }
        var out: [Unicode.Scalar] = []
        var digits = Array(text)[...]
        if let delimiter = digits.lastIndex(of: UInt8(ascii: "-")) {
            out = digits[..<delimiter].map { Unicode.Scalar($0) }
            guard !out.isEmpty, out.allSatisfy(\.isASCII) else { return nil }
            digits = digits[(delimiter + 1)...]
        }
        var code: UInt32 = 128
        var position: UInt32 = 0
        var bias: UInt32 = 72
        var isFirst = true
        while !digits.isEmpty {
            let start = position
            var weight: UInt32 = 1
            var k = base
            while true {
                guard let digit = digits.popFirst().flatMap(value) else { return nil }
                guard let added = product(digit, weight), let next = sum(position, added) else { return nil }
                position = next
                let threshold = k <= bias ? tMin : min(tMax, k - bias)
                if digit < threshold { break }
                guard let heavier = product(weight, base - threshold) else { return nil }
                weight = heavier
                k += base
            }
            let count = UInt32(out.count) + 1
            bias = adapted(position - start, count, isFirst)
            isFirst = false
            guard let next = sum(code, position / count) else { return nil }
            code = next
            position %= count
            guard let scalar = Unicode.Scalar(code) else { return nil }
            out.insert(scalar, at: Int(position))
            position += 1
        }
        return out
    }

    private static func adapted(_ delta: UInt32, _ count: UInt32, _ isFirst: Bool) -> UInt32 {
        var delta = isFirst ? delta / 700 : delta / 2
        delta += delta / count
        var k: UInt32 = 0
        while delta > (base - tMin) * tMax / 2 {
            delta /= base - tMin
            k += base
        }
        return k + (base - tMin + 1) * delta / (delta + 38)
    }

    private static func value(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a"))
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 26
        default: nil
        }
    }

    private static func sum(_ a: UInt32, _ b: UInt32) -> UInt32? {
        let (value, overflow) = a.addingReportingOverflow(b)
        return overflow ? nil : value
    }

    private static func product(_ a: UInt32, _ b: UInt32) -> UInt32? {
        let (value, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? nil : value
    }
}
