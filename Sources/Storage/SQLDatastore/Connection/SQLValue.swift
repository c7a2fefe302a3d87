// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// A value handed to a statement. Drivers turn it into their database's own form.
package enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case bool(Bool)
    case text(String)
    case blob([UInt8])
    case time(SQLTime)

    package static func integer(_ value: Int32) -> SQLValue { .integer(Int64(value)) }

    /// A time, or null where unix second 0 stands for "none".
    package static func time(unlessZero seconds: Int64) -> SQLValue {
        seconds == 0 ? .null : .time(SQLTime(seconds: seconds))
    }
}

/// A point in time as columns keep it.
package struct SQLTime: Sendable, Hashable {
    /// Unix seconds.
    package var seconds: Int64
    /// 0..<1,000,000,000.
    package var nanoseconds: Int32

    package init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Microseconds are kept: the clock's floating-point form has no more.
    package init(_ date: Date) {
        let micros = Int64((date.timeIntervalSince1970 * 1e6).rounded(.down))
        let seconds = micros >= 0 ? micros / 1_000_000 : (micros - 999_999) / 1_000_000
        self.init(seconds: seconds, nanoseconds: Int32(micros - seconds * 1_000_000) * 1000)
    }
}
