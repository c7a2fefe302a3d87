// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Logging
import Synchronization

/// A program's log: one writer that every logger shares, and a level that can change while the program runs.
///
/// Loggers from `logger(subsystem:)` follow the level. A logger whose own `logLevel` was set keeps that one.
package final class LogSystem: Sendable {
    package let settings: LogSettings
    let writer: LogWriter
    private let threshold: Atomic<Int>

    /// Opens the log file, if there is one, for appending; creates it with mode 0640.
    /// - Throws: `io` with `could not start logger: …`.
    package init(_ settings: LogSettings) throws(SpireError) {
        self.settings = settings
        threshold = Atomic(settings.level.rawValue)
        do {
            writer = try LogWriter(path: settings.file)
        } catch {
            throw error.while("could not start logger")
        }
    }

    /// Writes to an open file descriptor instead, which stays open: for tests and for tools.
    package init(_ settings: LogSettings, descriptor: Int32) {
        self.settings = settings
        threshold = Atomic(settings.level.rawValue)
        writer = LogWriter(descriptor: descriptor)
    }

    /// The level now in force. The one of the start is `settings.level`.
    package var level: LogLevel {
        get { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }
        set { threshold.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// The program's logger.
    package var logger: Logger { Logger(label: "spire") { _ in self.handler } }

    /// A part's logger: every line carries `subsystem_name`.
    package func logger(subsystem: String) -> Logger {
        var logger = logger
        logger[metadataKey: LogKey.subsystem] = .string(subsystem)
        return logger
    }

    /// Closes the log file and opens it again under its name: what an operator asks for after moving it away (SIGUSR2).
    ///
    /// Does nothing when the log goes to standard output.
    /// - Throws: `io`; the old file stays in use then.
    package func reopen() throws(SpireError) { try writer.reopen() }

    /// Writes whole lines as they are, for dumps an operator asked for.
    package func write(lines: [UInt8]) { if !lines.isEmpty { writer.write(lines) } }

    private var handler: LogLineHandler {
        LogLineHandler(system: self, encoder: LogLineEncoder(settings.format, isTerminal: writer.isTerminal))
    }
}

/// What the logging library calls for every record.
struct LogLineHandler: LogHandler {
    let system: LogSystem
    let encoder: LogLineEncoder
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private var ownLevel: Logger.Level?

    init(system: LogSystem, encoder: LogLineEncoder) {
        self.system = system
        self.encoder = encoder
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? system.level.threshold }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let own = event.metadata { fields.merge(own) { $1 } }
        if let error = event.error { fields[LogKey.error] = .string("\(error)") }
        let place: LogLineEncoder.Place? =
            system.settings.includesSourceLocation
            ? LogLineEncoder.Place(function: event.function, file: event.file, line: event.line) : nil
        system.writer.write(
            encoder.line(LogLevel(event.level), event.message.description, fields, place: place, at: LogClock.now()))
    }
}
