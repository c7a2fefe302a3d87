// SPDX-License-Identifier: Apache-2.0

import SQLDatastore

/// The text SQLite columns of SPIRE keep times in: `2026-11-21 01:03:52.46880849+00:00`, the fraction without its
/// trailing zeros and left out when it is zero. Texts of one column compare like the times they stand for.
enum SQLiteTime {
    /// Most bytes a time takes.
    static let capacity = 40

    /// Writes `time` and returns its length. Years outside 0...9999 are clamped to that range.
    static func write(_ time: SQLTime, to out: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let seconds = min(max(time.seconds, -62_167_219_200), 253_402_300_799)
        var days = seconds / 86_400
        var rest = Int(seconds % 86_400)
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        let (year, month, day) = date(days)
        var at = 0
        func put(_ byte: UInt8) {
            out[at] = byte
            at += 1
        }
        func digits(_ value: Int, _ count: Int) {
            var divisor = 1
            for _ in 1..<count { divisor *= 10 }
            while divisor > 0 {
                put(UInt8(48 + value / divisor % 10))
                divisor /= 10
            }
        }
        digits(year, 4)
        put(UInt8(ascii: "-"))
        digits(month, 2)
        put(UInt8(ascii: "-"))
        digits(day, 2)
        put(UInt8(ascii: " "))
        digits(rest / 3600, 2)
        put(UInt8(ascii: ":"))
        digits(rest / 60 % 60, 2)
        put(UInt8(ascii: ":"))
        digits(rest % 60, 2)
        if time.nanoseconds > 0 {
            put(UInt8(ascii: "."))
            digits(Int(time.nanoseconds), 9)
            while out[at - 1] == 48 { at -= 1 }
        }
        for byte in "+00:00".utf8 { put(byte) }
        return at
    }

    /// Reads the unix second out of a text: date, `T` or space, time, optional fraction, optional zone.
    static func seconds(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        func number(_ from: Int, _ count: Int) -> Int64? {
            guard from + count <= text.count else { return nil }
            var value: Int64 = 0
            for index in from..<from + count {
                guard text[index] >= 48, text[index] <= 57 else { return nil }
                value = value * 10 + Int64(text[index] - 48)
            }
            return value
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2),
            text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] == UInt8(ascii: " ") || text[10] == UInt8(ascii: "T"),
            text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"), (1...12).contains(month)
        else { return nil }
        var at = 19
        if at < text.count, text[at] == UInt8(ascii: ".") {
            at += 1
            while at < text.count, text[at] >= 48, text[at] <= 57 { at += 1 }
        }
        var zone: Int64 = 0
        if at < text.count, text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") {
            guard let hours = number(at + 1, 2), let minutes = number(at + 4, 2) else { return nil }
            zone = (hours * 3600 + minutes * 60) * (text[at] == UInt8(ascii: "-") ? -1 : 1)
        }
        return days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - zone
    }

    /// Days since 1970-01-01 of a proleptic Gregorian date, by the usual trick of years that start in March.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(_ days: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
        return (Int(year), Int(month < 10 ? month + 3 : month - 9), Int(dayOfYear - (153 * month + 2) / 5 + 1))
    }
}
