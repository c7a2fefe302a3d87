// SPDX-License-Identifier: Apache-2.0

package import Logging

/// How much is logged, in the words of the configuration file and the Logger API.
package enum LogLevel: Int, Sendable, Hashable, Comparable, CaseIterable {
    case panic, fatal, error, warning, info, debug, trace

    /// Reads a configured level: any case, `warn` as well as `warning`.
    package init?(_ text: String) {
        switch text.lowercased() {
        case "panic": self = .panic
        case "fatal": self = .fatal
        case "error": self = .error
        case "warn", "warning": self = .warning
        case "info": self = .info
        case "debug": self = .debug
        case "trace": self = .trace
        default: return nil
        }
    }

    /// The name in log lines: `warning`, not `warn`.
    package var name: String {
        switch self {
        case .panic: "panic"
        case .fatal: "fatal"
        case .error: "error"
        case .warning: "warning"
        case .info: "info"
        case .debug: "debug"
        case .trace: "trace"
        }
    }

    /// The level a record of the logging library has here. There is no `notice`: it counts as `info`.
    package init(_ level: Logger.Level) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info, .notice: self = .info
        case .warning: self = .warning
        case .error: self = .error
        case .critical: self = .fatal
        }
    }

    /// The least severe level of the logging library that passes this threshold.
    package var threshold: Logger.Level {
        switch self {
        case .panic, .fatal: .critical
        case .error: .error
        case .warning: .warning
        case .info: .info
        case .debug: .debug
        case .trace: .trace
        }
    }

    package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// The shape of log lines.
package enum LogFormat: Sendable, Hashable {
    /// Text with whole-second times: what an absent `log_format` means.
    case standard
    /// Text with nanosecond times.
    case text
    /// One JSON object a line, with nanosecond times.
    case json

    /// Reads a configured format, any case; empty is `standard`.
    package init?(_ text: String) {
        switch text.lowercased() {
        case "": self = .standard
        case "text": self = .text
        case "json": self = .json
        default: return nil
        }
    }
}

/// Where logs go and what they look like.
package struct LogSettings: Sendable, Hashable {
    package var level: LogLevel
    package var format: LogFormat
    /// Path of the log file; empty for standard output.
    package var file: String
    /// Adds `file` and `func` to every record.
    package var includesSourceLocation: Bool

    package init(
        level: LogLevel = .info, format: LogFormat = .standard, file: String = "", includesSourceLocation: Bool = false
    ) {
        self.level = level
        self.format = format
        self.file = file
        self.includesSourceLocation = includesSourceLocation
    }
}
