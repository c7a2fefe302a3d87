// SPDX-License-Identifier: Apache-2.0

/// Where randomness comes from. The system's is cryptographically secure; tests hand in a seeded one.
package protocol RandomSource: Sendable {
    func next() -> UInt64
}

/// The operating system's cryptographically secure generator.
package struct SystemRandom: RandomSource {
    package init() {}
    package func next() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}

extension RandomSource {
    /// Returns `count` random bytes.
    package func bytes(_ count: Int) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(count + 8)
        while out.count < count {
            var word = next()
            for _ in 0..<8 {
                out.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        out.removeLast(out.count - count)
        return out
    }

    /// Returns a number in `0..<1`.
    package func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Returns a random (version 4) UUID in its lower-case text form.
    /// > Spec: RFC 9562 §5.4.
    package func uuid() -> String {
        var raw = bytes(16)
        raw[6] = (raw[6] & 0x0f) | 0x40
        raw[8] = (raw[8] & 0x3f) | 0x80
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for (index, byte) in raw.enumerated() {
            if index == 4 || index == 6 || index == 8 || index == 10 { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
