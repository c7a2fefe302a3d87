// SPDX-License-Identifier: Apache-2.0

import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Time stamps of log lines, in the machine's time zone.
enum LogClock {
    /// A moment of the wall clock.
    struct Moment: Sendable, Hashable {
        let seconds: Int
        let nanoseconds: Int
    }

    /// The calendar reading of a second and the offset from UTC, in seconds.
    private struct Reading {
        var second = Int.min
        var text: [UInt8] = []
        var offset = 0
    }

    /// Asking the system for the calendar is dear; most lines share a second with the one before.
    private static let last = Mutex(Reading())

    static func now() -> Moment {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Moment(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }

    /// Whole seconds since the program wrote its first line.
    static func age(_ moment: Moment) -> Int { max(0, moment.seconds - start.seconds) }

    private static let start = now()

    /// RFC 3339: `2026-11-21T01:07:16Z`, or with nanoseconds, whose zeros at the end are left out.
    static func append(_ moment: Moment, nanoseconds: Bool, to out: inout [UInt8]) {
        let (text, offset) = calendar(moment.seconds)
        out.append(contentsOf: text)
        if nanoseconds { appendFraction(moment.nanoseconds, to: &out) }
        guard offset != 0 else { return out.append(UInt8(ascii: "Z")) }
        appendOffset(offset, separator: ":", to: &out)
    }

    /// `2026-11-21 01:07:16.321303584 +0000 UTC`: how SPIRE writes times among a line's fields.
    static func appendField(_ moment: Moment, to out: inout [UInt8]) {
        let (text, offset) = calendar(moment.seconds)
        out.append(contentsOf: text.map { $0 == UInt8(ascii: "T") ? UInt8(ascii: " ") : $0 })
        appendFraction(moment.nanoseconds, to: &out)
        out.append(UInt8(ascii: " "))
        appendOffset(offset, separator: "", to: &out)
        out.append(UInt8(ascii: " "))
        if offset == 0 {
            out.append(contentsOf: "UTC".utf8)
        } else {
            appendOffset(offset, separator: "", to: &out)
        }
    }

    private static func calendar(_ second: Int) -> (text: [UInt8], offset: Int) {
        last.withLock { reading in
            if reading.second == second { return (reading.text, reading.offset) }
            var time = time_t(second)
            var parts = tm()
            localtime_r(&time, &parts)
            var text: [UInt8] = []
            text.reserveCapacity(19)
            digits(Int(parts.tm_year) + 1900, 4, &text)
            for (mark, value) in [
                ("-", parts.tm_mon + 1), ("-", parts.tm_mday), ("T", parts.tm_hour), (":", parts.tm_min),
                (":", parts.tm_sec),
            ] {
                text.append(contentsOf: mark.utf8)
                digits(Int(value), 2, &text)
            }
            reading = Reading(second: second, text: text, offset: Int(parts.tm_gmtoff))
            return (reading.text, reading.offset)
        }
    }

    private static func appendFraction(_ nanoseconds: Int, to out: inout [UInt8]) {
        guard nanoseconds > 0 else { return }
        out.append(UInt8(ascii: "."))
        digits(nanoseconds, 9, &out)
        while out.last == UInt8(ascii: "0") { out.removeLast() }
    }

    private static func appendOffset(_ offset: Int, separator: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: offset < 0 ? "-" : "+"))
        digits(abs(offset) / 3600, 2, &out)
        out.append(contentsOf: separator.utf8)
        digits(abs(offset) / 60 % 60, 2, &out)
    }

    private static func digits(_ value: Int, _ width: Int, _ out: inout [UInt8]) {
        let text = String(value)
        for _ in 0..<max(0, width - text.utf8.count) { out.append(UInt8(ascii: "0")) }
        out.append(contentsOf: text.utf8)
    }
}
