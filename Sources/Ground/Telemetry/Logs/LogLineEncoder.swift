// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Logging

/// Writes log records as lines that programs made for SPIRE's logs can read.
struct LogLineEncoder: Sendable {
    /// Where in the source a record comes from.
    struct Place {
        let function: String
        let file: String
        let line: UInt

        var fileText: String { "\(file.split(separator: "/").last.map(String.init) ?? file):\(line)" }
    }

    let format: LogFormat
    /// Terminals get colours; nothing else does.
    let isTerminal: Bool

    init(_ format: LogFormat, isTerminal: Bool) {
        self.format = format
        self.isTerminal = isTerminal
    }

    /// The line, with its line end.
    func line(
        _ level: LogLevel, _ message: String, _ fields: Logger.Metadata, place: Place?, at moment: LogClock.Moment
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(256)
        if format == .json {
            json(level, message, fields, place, moment, &out)
        } else if isTerminal {
            colored(level, message, fields, place, moment, &out)
        } else {
            text(level, message, fields, place, moment, &out)
        }
        out.append(UInt8(ascii: "\n"))
        return out
    }

    /// Fields by name. One that has the name of a fixed part moves aside.
    private func sorted(_ fields: Logger.Metadata, _ hasPlace: Bool) -> [(String, Logger.MetadataValue)] {
        var list: [(String, Logger.MetadataValue)] = []
        list.reserveCapacity(fields.count)
        for (key, value) in fields {
            switch key {
            case "time", "msg", "level": list.append(("fields." + key, value))
            case "func", "file": list.append((hasPlace ? "fields." + key : key, value))
            default: list.append((key, value))
            }
        }
        list.sort { $0.0 < $1.0 }
        return list
    }

    private func text(
        _ level: LogLevel, _ message: String, _ fields: Logger.Metadata, _ place: Place?, _ moment: LogClock.Moment,
        _ out: inout [UInt8]
    ) {
        out.append(contentsOf: "time=\"".utf8)
        LogClock.append(moment, nanoseconds: format == .text, to: &out)
        out.append(contentsOf: "\" level=".utf8)
        out.append(contentsOf: level.name.utf8)
        out.append(contentsOf: " msg=".utf8)
        LogText.appendQuotedIfNeeded(message, to: &out)
        if let place {
            out.append(contentsOf: " func=".utf8)
            LogText.appendQuotedIfNeeded(place.function, to: &out)
            out.append(contentsOf: " file=".utf8)
            LogText.appendQuotedIfNeeded(place.fileText, to: &out)
        }
        for (key, value) in sorted(fields, place != nil) {
            out.append(UInt8(ascii: " "))
            LogText.appendShown(key, to: &out)
            out.append(UInt8(ascii: "="))
            LogText.appendQuotedIfNeeded(plain(value), to: &out)
        }
    }

    private func colored(
        _ level: LogLevel, _ message: String, _ fields: Logger.Metadata, _ place: Place?, _ moment: LogClock.Moment,
        _ out: inout [UInt8]
    ) {
        let color =
            switch level {
            case .debug, .trace: "37"
            case .warning: "33"
            case .error, .fatal, .panic: "31"
            case .info: "36"
            }
        out.append(contentsOf: "\u{1B}[\(color)m\(level.name.uppercased().prefix(4))\u{1B}[0m[".utf8)
        if format == .text {
            LogClock.append(moment, nanoseconds: true, to: &out)
        } else {
            let age = String(LogClock.age(moment))
            out.append(contentsOf: (String(repeating: "0", count: max(0, 4 - age.count)) + age).utf8)
        }
        out.append(contentsOf: "]".utf8)
        if let place { out.append(contentsOf: "\(place.fileText) \(place.function)".utf8) }
        out.append(UInt8(ascii: " "))
        LogText.appendShown(message, to: &out)
        for _ in 0..<max(0, 44 - message.count) { out.append(UInt8(ascii: " ")) }
        out.append(UInt8(ascii: " "))
        for (key, value) in sorted(fields, place != nil) {
            out.append(contentsOf: " \u{1B}[\(color)m".utf8)
            LogText.appendShown(key, to: &out)
            out.append(contentsOf: "\u{1B}[0m=".utf8)
            LogText.appendQuotedIfNeeded(plain(value), to: &out)
        }
    }

    private func json(
        _ level: LogLevel, _ message: String, _ fields: Logger.Metadata, _ place: Place?, _ moment: LogClock.Moment,
        _ out: inout [UInt8]
    ) {
        var all = sorted(fields, place != nil)
        all.append(("level", .string(level.name)))
        all.append(("msg", .string(message)))
        all.append(("time", ""))
        if let place {
            all.append(("func", .string(place.function)))
            all.append(("file", .string(place.fileText)))
        }
        all.sort { $0.0 < $1.0 }
        out.append(UInt8(ascii: "{"))
        for (index, (key, value)) in all.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            LogText.appendJSON(key, to: &out)
            out.append(UInt8(ascii: ":"))
            if key == "time" {
                out.append(UInt8(ascii: "\""))
                LogClock.append(moment, nanoseconds: true, to: &out)
                out.append(UInt8(ascii: "\""))
            } else {
                appendJSON(value, to: &out)
            }
        }
        out.append(UInt8(ascii: "}"))
    }

    private static func moment(_ date: Date) -> LogClock.Moment {
        let interval = date.timeIntervalSince1970
        // A Date holds microseconds at best; more digits would be noise.
        let microseconds = (interval - interval.rounded(.down)) * 1_000_000
        return LogClock.Moment(
            seconds: Int(exactly: interval.rounded(.down)) ?? 0, nanoseconds: Int(microseconds.rounded(.down)) * 1000)
    }

    /// A field's value as the text format shows it: lists as `[a b]`, tables as `map[k:v]`.
    private func plain(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): return text
        case .stringConvertible(let value):
            guard let date = value as? Date else { return value.description }
            var out: [UInt8] = []
            LogClock.appendField(Self.moment(date), to: &out)
            return String(decoding: out, as: UTF8.self)
        case .array(let values): return "[" + values.map(plain).joined(separator: " ") + "]"
        case .dictionary(let values):
            let parts = values.sorted { $0.key < $1.key }.map { "\($0.key):\(plain($0.value))" }
            return "map[" + parts.joined(separator: " ") + "]"
        }
    }

    private func appendJSON(_ value: Logger.MetadataValue, to out: inout [UInt8]) {
        switch value {
        case .string(let text): LogText.appendJSON(text, to: &out)
        case .stringConvertible(let value):
            switch value {
            case let number as any BinaryInteger: out.append(contentsOf: "\(number)".utf8)
            case let flag as Bool: out.append(contentsOf: (flag ? "true" : "false").utf8)
            case let number as Double where number.isFinite: out.append(contentsOf: "\(number)".utf8)
            case let date as Date:
                out.append(UInt8(ascii: "\""))
                LogClock.append(Self.moment(date), nanoseconds: true, to: &out)
                out.append(UInt8(ascii: "\""))
            default: LogText.appendJSON(value.description, to: &out)
            }
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                appendJSON(value, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        case .dictionary(let values):
            out.append(UInt8(ascii: "{"))
            for (index, (key, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                LogText.appendJSON(key, to: &out)
                out.append(UInt8(ascii: ":"))
                appendJSON(value, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        }
    }
}
