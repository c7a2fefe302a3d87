// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// A UTC calendar time in whole seconds, in the few text forms certificates and logs need.
package struct CivilTime: Sendable, Hashable {
    package let year: Int
    package let month: Int
    package let day: Int
    package let hour: Int
    package let minute: Int
    package let second: Int

    /// - Parameter unix: Seconds since 1970; clamped to the years 0 to 9999.
    package init(unix: Int64) {
        let seconds = min(max(unix, -62_167_219_200), 253_402_300_799)
        var days = Int(seconds / 86_400)
        var rest = Int(seconds % 86_400)
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        // Days since 0000-03-01, so that the leap day ends its year.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3600
        minute = rest / 60 % 60
        second = rest % 60
    }

    /// Reads `YYMMDDhhmmssZ`, or `YYYYMMDDhhmmssZ` when `generalized`.
    package init?(asn1 text: ArraySlice<UInt8>, generalized: Bool) {
        guard text.count == (generalized ? 15 : 13), text.last == UInt8(ascii: "Z") else { return nil }
        var pairs: [Int] = []
        var at = text.startIndex
        while at < text.endIndex - 1 {
            let high = Int(text[at]) - 48
            let low = Int(text[at + 1]) - 48
            guard (0...9).contains(high), (0...9).contains(low) else { return nil }
            pairs.append(high * 10 + low)
            at += 2
        }
        if generalized {
            year = pairs[0] * 100 + pairs[1]
            pairs.removeFirst(2)
        } else {
            year = pairs[0] + (pairs[0] < 50 ? 2000 : 1900)
            pairs.removeFirst()
        }
        (month, day, hour, minute, second) = (pairs[0], pairs[1], pairs[2], pairs[3], pairs[4])
        guard (1...12).contains(month), day >= 1, hour < 24, minute < 60, second < 60 else { return nil }
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[month - 1] else { return nil }
    }

    /// Seconds since 1970.
    package var unix: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = Int64(era) * 146_097 + Int64(dayOfEra) - 719_468
        return days * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// Writes UTCTime for the years 1950 to 2049, else GeneralizedTime.
    /// > Spec: RFC 5280 §4.1.2.5.
    package func writeASN1(into out: inout [UInt8]) {
        let short = (1950...2049).contains(year)
        DER.header(short ? DER.utcTime : DER.generalizedTime, short ? 13 : 15, into: &out)
        if !short { Self.two(year / 100, into: &out) }
        Self.two(year % 100, into: &out)
        for value in [month, day, hour, minute, second] { Self.two(value, into: &out) }
        out.append(UInt8(ascii: "Z"))
    }

    /// `2026-11-21T01:07:16Z`.
    package var rfc3339: String { text(separator: "T") + "Z" }

    /// The form the original logs times in, `2026-11-21 01:07:16.3225223 +0000 UTC`.
    package static func logText(_ date: Date) -> String {
        let seconds = date.timeIntervalSince1970
        let whole = seconds.rounded(.down)
        var text = CivilTime(unix: Int64(whole)).text(separator: " ")
        let micro = Int((seconds - whole) * 1_000_000)
        if micro > 0 {
            var digits = String(micro)
            digits = String(repeating: "0", count: 6 - digits.count) + digits
            while digits.last == "0" { digits.removeLast() }
            text += "." + digits
        }
        return text + " +0000 UTC"
    }

    private func text(separator: Character) -> String {
        var out: [UInt8] = []
        Self.two(year / 100, into: &out)
        Self.two(year % 100, into: &out)
        out.append(UInt8(ascii: "-"))
        Self.two(month, into: &out)
        out.append(UInt8(ascii: "-"))
        Self.two(day, into: &out)
        out.append(contentsOf: String(separator).utf8)
        Self.two(hour, into: &out)
        out.append(UInt8(ascii: ":"))
        Self.two(minute, into: &out)
        out.append(UInt8(ascii: ":"))
        Self.two(second, into: &out)
        return String(decoding: out, as: UTF8.self)
    }

    private static func two(_ value: Int, into out: inout [UInt8]) {
        out.append(UInt8(48 + value / 10 % 10))
        out.append(UInt8(48 + value % 10))
    }
}
