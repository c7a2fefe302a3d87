// SPDX-License-Identifier: Apache-2.0

/// One thing that is wrong with a configuration.
package struct ConfigProblem: Sendable, Hashable, CustomStringConvertible {
    /// What sort of problem it is.
    package enum Kind: Sendable, Hashable {
        /// The file is missing, unreadable, or not HCL.
        case unreadable
        /// A value is missing, of the wrong type, or not allowed.
        case invalid
        /// A key that no release knows.
        case unknownKey
        /// A key or plugin that SPIRE has and this release does not.
        case notImplemented
        /// The set of plugins or a plugin's block.
        case plugin
    }

    package let kind: Kind
    /// The key it is about, as `section.key`, or empty.
    package let key: String
    /// A sentence without trailing dot; begins with the text scripts written for SPIRE look for.
    package let message: String
    /// Where in the file, when it is about something that is there.
    package let position: HCLPosition?
    /// The file the position belongs to.
    package var file: String?

    package init(
        _ kind: Kind, key: String = "", _ message: String, at position: HCLPosition? = nil, file: String? = nil
    ) {
        self.kind = kind
        self.key = key
        self.message = message
        self.position = position
        self.file = file
    }

    /// The message, with ` (file:line:column)` when the place is known.
    package var description: String {
        guard let position else { return message }
        return "\(message) (\(file.map { $0 + ":" } ?? "line ")\(position))"
    }
}

/// Everything that is wrong with a configuration. Its text holds one problem a line, the one SPIRE reports first.
package struct ConfigError: Error, Sendable, CustomStringConvertible {
    package let problems: [ConfigProblem]
    /// Log records to emit before giving up, such as the list of unknown keys.
    package let notices: [ConfigNotice]

    package init(_ problems: [ConfigProblem], notices: [ConfigNotice] = []) {
        self.problems = problems
        self.notices = notices
    }

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// A log record that loading a configuration asks for; written once there is a logger.
package struct ConfigNotice: Sendable, Hashable {
    package enum Level: Sendable, Hashable { case info, warning, error }

    package let level: Level
    package let message: String
    /// Log fields by name.
    package let fields: [String: String]

    package init(_ level: Level, _ message: String, fields: [String: String] = [:]) {
        self.level = level
        self.message = message
        self.fields = fields
    }
}
