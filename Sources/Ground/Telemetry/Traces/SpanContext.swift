// SPDX-License-Identifier: Apache-2.0

/// Which span something belongs to, as it travels between programs.
/// > Spec: W3C Trace Context, `traceparent`.
package struct SpanContext: Sendable, Hashable {
    package let traceHigh: UInt64
    package let traceLow: UInt64
    package let spanID: UInt64
    package let isSampled: Bool

    init(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, isSampled: Bool) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.spanID = spanID
        self.isSampled = isSampled
    }

    /// Reads a header. `nil` for anything malformed, for ids of zeros, and for the version that is forbidden.
    package init?(traceparent: String) {
        let bytes = Array(traceparent.utf8)
        let dash = UInt8(ascii: "-")
        guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
            let version = Self.number(bytes[0..<2]), version != 0xff,
            bytes.count == 55 || version > 0 && bytes[55] == dash,
            let high = Self.number(bytes[3..<19]), let low = Self.number(bytes[19..<35]),
            let span = Self.number(bytes[36..<52]), let flags = Self.number(bytes[53..<55]),
            high | low != 0, span != 0
        else { return nil }
        self.init(traceHigh: high, traceLow: low, spanID: span, isSampled: flags & 1 == 1)
    }

    package var traceparent: String {
        "00-\(Self.hex(traceHigh))\(Self.hex(traceLow))-\(Self.hex(spanID))-\(isSampled ? "01" : "00")"
    }

    /// Lower-case only, as the standard says.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    private static func hex(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    /// Big-endian bytes, as OTLP carries them.
    package var traceBytes: [UInt8] { Self.bytes(traceHigh) + Self.bytes(traceLow) }
    package var spanBytes: [UInt8] { Self.bytes(spanID) }

    package static func bytes(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - $0 * 8)) }
    }
}
