// SPDX-License-Identifier: Apache-2.0

/// Durations as Go prints them (`5.5s`, `1m30s`), for logs whose readers expect that.
package enum GoDuration {
    package static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !nanoseconds.overflow else { return "\(seconds)s" }
        var rest = nanoseconds.partialValue + attoseconds / 1_000_000_000
        if rest == 0 { return "0s" }
        let sign = rest < 0 ? "-" : ""
        rest = abs(rest)
        if rest < 1_000 { return sign + "\(rest)ns" }
        if rest < 1_000_000 { return sign + fraction(rest, 3) + "µs" }
        if rest < 1_000_000_000 { return sign + fraction(rest, 6) + "ms" }
        let minutes = rest / 60_000_000_000
        let tail = fraction(rest % 60_000_000_000, 9) + "s"
        if minutes == 0 { return sign + tail }
        if minutes < 60 { return sign + "\(minutes)m" + tail }
        return sign + "\(minutes / 60)h\(minutes % 60)m" + tail
    }

    private static func fraction(_ value: Int64, _ digits: Int) -> String {
        var scale: Int64 = 1
        for _ in 0..<digits { scale *= 10 }
        var part = String(value % scale)
        part = String(repeating: "0", count: digits - part.utf8.count) + part
        while part.hasSuffix("0") { part.removeLast() }
        return part.isEmpty ? "\(value / scale)" : "\(value / scale).\(part)"
    }
}
