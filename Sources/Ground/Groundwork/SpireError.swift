// SPDX-License-Identifier: Apache-2.0

/// The one error type of the server and agent: a stable code, a message for a human, and where it came from.
///
/// Equality compares the code only, so tests and callers never depend on wording. Messages carry no secrets and no
/// trailing dot.
package struct SpireError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A stable, documented, grep-able name of a failure and the gRPC status it maps to.
    package struct Code: Sendable, Hashable {
        package let name: String
        package let wire: WireStatus

        package init(_ name: String, wire: WireStatus = .internal) {
            self.name = name
            self.wire = wire
        }

        package static func == (a: Code, b: Code) -> Bool { a.name == b.name }
        package func hash(into hasher: inout Hasher) { hasher.combine(name) }
    }

    package let code: Code
    package private(set) var message: String
    package var details: [String: String]
    package let cause: (any Error)?
    /// Source place for logs; never shown to callers.
    package let origin: String

    package init(
        _ code: Code, _ message: String, details: [String: String] = [:], cause: (any Error)? = nil,
        fileID: StaticString = #fileID, line: UInt = #line
    ) {
        self.code = code
        self.message = message
        self.details = details
        self.cause = cause
        self.origin = "\(fileID):\(line)"
    }

    /// Returns the same failure with `action` put before its message: `"<action>: <message>"`. The code stays.
    package func `while`(_ action: String) -> SpireError {
        var copy = self
        copy.message = "\(action): \(message)"
        return copy
    }

    /// The message, followed by the cause's text where there is one and the message does not already hold it.
    package var description: String {
        guard let cause else { return message }
        let text = "\(cause)"
        return message.contains(text) ? message : "\(message): \(text)"
    }

    package static func == (a: SpireError, b: SpireError) -> Bool { a.code == b.code }
}

extension SpireError.Code {
    /// Input from outside is not what the format or the field allows.
    package static let invalid = SpireError.Code("invalid_argument", wire: .invalidArgument)
    package static let notFound = SpireError.Code("not_found", wire: .notFound)
    package static let alreadyExists = SpireError.Code("already_exists", wire: .alreadyExists)
    package static let failedPrecondition = SpireError.Code("failed_precondition", wire: .failedPrecondition)
    package static let unavailable = SpireError.Code("unavailable", wire: .unavailable)
    package static let unknown = SpireError.Code("unknown", wire: .unknown)
    package static let `internal` = SpireError.Code("internal", wire: .internal)
    /// A file or the operating system refused.
    package static let io = SpireError.Code("io", wire: .internal)
}
