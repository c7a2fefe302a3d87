// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct LoggerGet: Command {
    static let name = "logger get"
    static let synopsis = "Shows the log level"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let logger = try await connection.withServer(console) { client in
            do {
                return try await client.unary(LoggerMethods.getLogger, .init())
            } catch {
                throw CommandFailure("error fetching logger: \(error.harmless)")
            }
        }
        logger.show(console, output.value)
    }
}

struct LoggerReset: Command {
    static let name = "logger reset"
    static let synopsis = "Puts the log level back to the one at launch"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let logger = try await connection.withServer(console) { client in
            do {
                return try await client.unary(LoggerMethods.resetLogLevel, .init())
            } catch {
                throw CommandFailure("failed to reset logger: \(error.harmless)")
            }
        }
        logger.show(console, output.value)
    }
}

struct LoggerSet: Command {
    static let name = "logger set"
    static let synopsis = "Changes the log level"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let level: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        level = flags.string(
            "level", "", "The new log level, one of (panic, fatal, error, warn, info, debug, trace)")
    }

    func run(_ console: Console) async throws {
        guard !level.value.isEmpty else { throw CommandFailure("a value (-level) must be set") }
        let known = LogLevelName.all.first { $0.words.contains(level.value.lowercased()) }
        guard let known else {
            throw CommandFailure("the value \(GoText.quoted(level.value)) is not a valid setting")
        }
        let logger = try await connection.withServer(console) { client in
            do {
                return try await client.unary(LoggerMethods.setLogLevel, .with { $0.newLevel = known.level })
            } catch {
                throw CommandFailure("failed to set log level: \(error.harmless)")
            }
        }
        logger.show(console, output.value)
    }
}

/// Log levels as operators write them, as the original prints them, and in protobuf's JSON.
struct LogLevelName {
    let level: Spire_Api_Types_LogLevel
    /// What may be typed; the first is what is printed.
    let words: [String]
    let json: String

    static let all: [LogLevelName] = [
        LogLevelName(level: .panic, words: ["panic"], json: "PANIC"),
        LogLevelName(level: .fatal, words: ["fatal"], json: "FATAL"),
        LogLevelName(level: .error, words: ["error"], json: "ERROR"),
        LogLevelName(level: .warn, words: ["warning", "warn"], json: "WARN"),
        LogLevelName(level: .info, words: ["info"], json: "INFO"),
        LogLevelName(level: .debug, words: ["debug"], json: "DEBUG"),
        LogLevelName(level: .trace, words: ["trace"], json: "TRACE"),
    ]

    static func json(_ level: Spire_Api_Types_LogLevel) -> JSONNode {
        if let known = all.first(where: { $0.level == level }) { return .string(known.json) }
        return level == .unspecified ? .string("UNSPECIFIED") : .int(level.rawValue)
    }

    /// The word printed for a level.
    static func pretty(_ level: Spire_Api_Types_LogLevel) -> String {
        all.first { $0.level == level }?.words.first ?? "unknown"
    }
}

extension Spire_Api_Types_Logger {
    func show(_ console: Console, _ format: OutputFormat) {
        let json: JSONNode = .object([
            "current_level": LogLevelName.json(currentLevel), "launch_level": LogLevelName.json(launchLevel),
        ])
        console.show(format, json: json) {
            console.out("Logger Level : \(LogLevelName.pretty(currentLevel))\n")
            console.out("Launch Level : \(LogLevelName.pretty(launchLevel))\n\n")
        }
    }
}
