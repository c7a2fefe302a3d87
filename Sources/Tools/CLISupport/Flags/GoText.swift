// SPDX-License-Identifier: Apache-2.0

import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Numbers, spans and times in the text forms Go gives them.
package enum GoText {
    /// Reads an integer as Go's `flag` package does: decimal, `0x`, `0o`, `0b` or octal after a leading zero.
    /// - Throws: `FlagError` with Go's reason.
    package static func parseInt(_ text: String) throws(FlagError) -> Int {
        var digits = text[...]
        var sign = ""
        if digits.hasPrefix("-") || digits.hasPrefix("+") {
            sign = digits.hasPrefix("-") ? "-" : ""
            digits = digits.dropFirst()
        }
        let prefix = digits.prefix(2).lowercased()
        var radix = ["0x": 16, "0o": 8, "0b": 2][prefix] ?? 10
        if radix != 10 {
            digits = digits.dropFirst(2)
        } else if digits.count > 1, digits.hasPrefix("0") {
            radix = 8
            digits = digits.dropFirst()
        }
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && ($0.hexDigitValue ?? 16) < radix }) else {
            throw FlagError(message: "parse error")
        }
        guard let value = Int(sign + digits, radix: radix) else { throw FlagError(message: "value out of range") }
        return value
    }

    /// Reads a span such as `1h30m` or `500ms`.
    package static func parseDuration(_ text: String) -> Duration? {
        var rest = text[...]
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") {
            rest = rest.dropFirst()
        }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var total = Duration.zero
        let units: [(String, Double)] = [
            ("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600),
        ]
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let value = Double(number.hasPrefix(".") ? "0" + number : number + (number.hasSuffix(".") ? "0" : ""))
            else { return nil }
            rest = rest.dropFirst(number.count)
            guard let unit = units.first(where: { rest.hasPrefix($0.0) && ($0.0 != "m" || !rest.hasPrefix("ms")) })
            else { return nil }
            rest = rest.dropFirst(unit.0.count)
            guard value * unit.1 < 9.2e9 else { return nil }
            total += .nanoseconds(Int64((value * unit.1 * 1e9).rounded()))
        }
        // Multiplying by a sign would be done in floating point, and inexact.
        return isNegative ? .zero - total : total
    }

    /// Writes a span: `1h0m5s`, `3.25ms`, `5s`, `0s`.
    package static func duration(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        var nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        if nanoseconds == 0 { return "0s" }
        let sign = nanoseconds < 0 ? "-" : ""
        nanoseconds = abs(nanoseconds)
        if nanoseconds < 1000 { return "\(sign)\(nanoseconds)ns" }
        if nanoseconds < 1_000_000 { return sign + fraction(nanoseconds, 1000, 3) + "µs" }
        if nanoseconds < 1_000_000_000 { return sign + fraction(nanoseconds, 1_000_000, 6) + "ms" }
        let whole = nanoseconds / 1_000_000_000
        var text = fraction(nanoseconds - whole / 60 * 60_000_000_000, 1_000_000_000, 9) + "s"
        if whole >= 60 { text = "\(whole / 60 % 60)m" + text }
        if whole >= 3600 { text = "\(whole / 3600)h" + text }
        return sign + text
    }

    private static func fraction(_ value: Int64, _ unit: Int64, _ places: Int) -> String {
        var text = "\(value / unit)"
        var digits = String(value % unit)
        digits = String(repeating: "0", count: places - digits.count) + digits
        while digits.last == "0" { digits.removeLast() }
        if !digits.isEmpty { text += "." + digits }
        return text
    }

    /// Writes a time as Go prints one: `2026-01-02 03:04:05 +0000 UTC`, in the zone of the process or in UTC.
    package static func time(_ unix: Int64, utc: Bool) -> String {
        var seconds = time_t(unix)
        var parts = unsafe tm()
        if utc {
            _ = unsafe gmtime_r(&seconds, &parts)
        } else {
            _ = unsafe localtime_r(&seconds, &parts)
        }
        let offset = unsafe Int(parts.tm_gmtoff)
        let zone = unsafe utc ? "UTC" : parts.tm_zone.map { unsafe String(cString: $0) } ?? "UTC"
        let numbers: [Int32] = unsafe [
            parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_year + 1900,
        ]
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let fields = numbers.map { two(Int($0)) }
        let year = String(repeating: "0", count: max(0, 4 - fields[5].count)) + fields[5]
        let date = "\(year)-\(fields[0])-\(fields[1])"
        let clock = "\(fields[2]):\(fields[3]):\(fields[4])"
        let shift = "\(offset < 0 ? "-" : "+")\(two(abs(offset) / 3600))\(two(abs(offset) / 60 % 60))"
        return "\(date) \(clock) \(shift) \(zone == "GMT" ? "UTC" : zone)"
    }

    /// Writes a UTC time as RFC 3339.
    package static func rfc3339(_ unix: Int64) -> String {
        let text = time(unix, utc: true)
        return text.prefix(10) + "T" + text.dropFirst(11).prefix(8) + "Z"
    }

    /// Writes a string as Go's `%q` does for the texts that occur here.
    package static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            case "\u{07}": out += "\\a"
            case "\u{08}": out += "\\b"
            case "\u{0b}": out += "\\v"
            case "\u{0c}": out += "\\f"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7f {
                    let hex = String(scalar.value, radix: 16)
                    out += "\\x" + (hex.count < 2 ? "0" + hex : hex)
                } else if scalar.isASCII || scalar.isGraphic {
                    out.unicodeScalars.append(scalar)
                } else {
                    out += unicodeEscape(scalar)
                }
            }
        }
        return out + "\""
    }

    /// `\u202e`, or `\U000e0001` for what four digits cannot hold.
    static func unicodeEscape(_ scalar: Unicode.Scalar) -> String {
        let hex = String(scalar.value, radix: 16)
        let width = hex.utf8.count > 4 ? 8 : 4
        return (width == 4 ? "\\u" : "\\U") + String(repeating: "0", count: width - hex.utf8.count) + hex
    }
}
