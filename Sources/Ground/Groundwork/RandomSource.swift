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
    package func uuid() -> String { UUIDText.text(next(), next()) }

    /// As `uuid()`, but beginning with the first 20 bits of `first`; the other 102 are random.
    ///
    /// What is made together and begins alike stands side by side in an index of the ids, instead of on a page each.
    package func uuid(beginningAs first: UInt64) -> String {
        let shared: UInt64 = 0xffff_f000_0000_0000
        return UUIDText.text(first & shared | next() & ~shared, next())
    }
}

private enum UUIDText {
    static func text(_ high: UInt64, _ low: UInt64) -> String {
        let words = (high & ~0xf000 | 0x4000, low & ~(0b11 << 62) | 0b10 << 62)
        return unsafe String(unsafeUninitializedCapacity: 36) { text in
            var at = 0
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                    unsafe text[at] = UInt8(ascii: "-")
                    at += 1
                }
                let word = digit < 16 ? words.0 : words.1
                let value = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (digit & 15))) & 15
                unsafe text[at] = value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
                at += 1
            }
            return at
        }
    }
}
