// SPDX-License-Identifier: Apache-2.0

/// Durations in the syntax of configuration files: `1h30m`, `500ms`, `-1.5s`.
package enum DurationText {
    /// Why a text is no duration; its description has the words operators know.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String
    }

    /// Reads a duration, at most about 292 years. Units: `ns`, `us`, `ms`, `s`, `m`, `h`; a bare `0` needs none.
    package static func parse(_ text: String) -> Result<Duration, Failure> {
        func invalid(_ reason: String = "invalid duration") -> Result<Duration, Failure> {
            .failure(Failure(description: "time: \(reason) \(quoted(text))"))
        }
        var rest = Array(text.utf8)[...]
        var isNegative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            rest = rest.dropFirst()
        }
        if Array(rest) == [UInt8(ascii: "0")] { return .success(.zero) }
        guard !rest.isEmpty else { return invalid() }
        var total: UInt64 = 0
        while !rest.isEmpty {
            let whole = rest.prefix { isDigit(UInt32($0)) }
            rest = rest.dropFirst(whole.count)
            var fraction: ArraySlice<UInt8> = []
            if rest.first == UInt8(ascii: ".") {
                rest = rest.dropFirst()
                fraction = rest.prefix { isDigit(UInt32($0)) }
                rest = rest.dropFirst(fraction.count)
            }
            guard !whole.isEmpty || !fraction.isEmpty else { return invalid() }
            let unit = rest.prefix { !isDigit(UInt32($0)) && $0 != UInt8(ascii: ".") }
            rest = rest.dropFirst(unit.count)
            guard !unit.isEmpty else { return invalid("missing unit in duration") }
            let name = String(decoding: unit, as: UTF8.self)
            guard let scale = nanoseconds(in: name) else {
                return .failure(
                    Failure(description: "time: unknown unit \(quoted(name)) in duration \(quoted(text))"))
            }
            guard let part = amount(whole, fraction, scale) else { return invalid() }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow, sum <= UInt64(Int64.max) else { return invalid() }
            total = sum
        }
        return .success(.nanoseconds(isNegative ? -Int64(total) : Int64(total)))
    }

    private static func amount(_ whole: ArraySlice<UInt8>, _ fraction: ArraySlice<UInt8>, _ scale: UInt64) -> UInt64? {
        var value: UInt64 = 0
        for digit in whole {
            guard value < UInt64.max / 10 - 1 else { return nil }
            value = value * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        let (scaled, overflow) = value.multipliedReportingOverflow(by: scale)
        guard !overflow, scaled <= UInt64(Int64.max) else { return nil }
        var part: UInt64 = 0
        var unit: UInt64 = 1
        for digit in fraction.prefix(18) {
            part = part * 10 + UInt64(digit - UInt8(ascii: "0"))
            unit *= 10
        }
        return scaled + UInt64(Double(part) * (Double(scale) / Double(unit)))
    }

    private static func nanoseconds(in unit: String) -> UInt64? {
        switch unit {
        case "ns": 1
        case "us", "µs", "μs": 1000
        case "ms": 1_000_000
        case "s": 1_000_000_000
        case "m": 60_000_000_000
        case "h": 3_600_000_000_000
        default: nil
        }
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "\""
    }

    /// Writes whole seconds without empty parts, as warnings do: `1h`, `30m`, `1h30m`, `0s`.
    package static func short(_ duration: Duration) -> String {
        var seconds = duration.components.seconds
        guard seconds != 0 else { return "0s" }
        let sign = seconds < 0 ? "-" : ""
        seconds = abs(seconds)
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
        if rest != 0 {
            return sign + (hours > 0 ? "\(hours)h\(minutes)m" : minutes > 0 ? "\(minutes)m" : "") + "\(rest)s"
        }
        return sign + (hours > 0 ? "\(hours)h" : "") + (minutes > 0 ? "\(minutes)m" : "")
    }
}
