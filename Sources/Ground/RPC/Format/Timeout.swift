// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// `grpc-timeout`: up to eight digits and a unit.
/// > Spec: gRPC over HTTP/2, "Timeout".
package enum Timeout {
    /// - Returns: `nil` when the text is not a timeout. Spans beyond what can be counted are as good as for ever and
    ///   become the longest countable.
    package static func parse(_ text: String) -> TimeAmount? {
        let bytes = text.utf8
        guard bytes.count >= 2, bytes.count <= 9, let unit = bytes.last else { return nil }
        var value: Int64 = 0
        for byte in bytes.dropLast() {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        let scale: Int64
        switch unit {
        case UInt8(ascii: "n"): scale = 1
        case UInt8(ascii: "u"): scale = 1_000
        case UInt8(ascii: "m"): scale = 1_000_000
        case UInt8(ascii: "S"): scale = 1_000_000_000
        case UInt8(ascii: "M"): scale = 60 * 1_000_000_000
        case UInt8(ascii: "H"): scale = 3600 * 1_000_000_000
        default: return nil
        }
        // A hundred years is for ever, and leaves room for adding the clock's reading.
        let ceiling: Int64 = 100 * 365 * 86_400 * 1_000_000_000
        let (nanoseconds, overflow) = value.multipliedReportingOverflow(by: scale)
        return .nanoseconds(overflow ? ceiling : min(nanoseconds, ceiling))
    }

    /// The text for `span`, in the finest unit that fits eight digits, rounded up; at least one nanosecond.
    package static func format(_ span: TimeAmount) -> String {
        let nanoseconds = max(1, span.nanoseconds)
        let units: [(Int64, String)] = [
            (1, "n"), (1_000, "u"), (1_000_000, "m"), (1_000_000_000, "S"), (60_000_000_000, "M"),
        ]
        for (scale, name) in units {
            let count = nanoseconds / scale + (nanoseconds % scale == 0 ? 0 : 1)
            if count <= 99_999_999 { return "\(count)\(name)" }
        }
        return "\(min(99_999_999, nanoseconds / 3_600_000_000_000 + 1))H"
    }
}
