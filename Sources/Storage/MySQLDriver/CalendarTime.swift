// SPDX-License-Identifier: Apache-2.0

/// Unix seconds as a calendar date and time in UTC, and back.
enum CalendarTime {
    struct Parts: Equatable {
        var year: Int
        var month: Int
        var day: Int
        var hour: Int
        var minute: Int
        var second: Int
    }

    /// Clamped to what a `datetime` holds: years 1000 to 9999.
    static func parts(_ seconds: Int64) -> Parts {
        let seconds = min(max(seconds, -30_610_224_000), 253_402_300_799)
        let days = seconds >= 0 ? seconds / 86_400 : (seconds + 1) / 86_400 - 1
        let rest = Int(seconds - days * 86_400)
        // Years that start in March: the leap day comes last.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return Parts(
            year: Int(yearOfEra + era * 400 + (month >= 10 ? 1 : 0)), month: Int(month < 10 ? month + 3 : month - 9),
            day: Int(dayOfYear - (153 * month + 2) / 5 + 1), hour: rest / 3600, minute: rest / 60 % 60, second: rest % 60)
    }

    /// Of `2026-11-21 01:05:24` and what may follow; `nil` for what is not that, and for the zero date.
    static func seconds(_ text: UnsafeRawBufferPointer) -> Int64? {
        func number(_ from: Int, _ count: Int) -> Int64? {
            guard from + count <= text.count else { return nil }
            var value: Int64 = 0
            for byte in text[from..<from + count] {
                guard byte >= 48, byte <= 57 else { return nil }
                value = value * 10 + Int64(byte - 48)
            }
            return value
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2), (1...12).contains(month), day > 0, year > 0
        else { return nil }
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }
}
