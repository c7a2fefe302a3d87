// SPDX-License-Identifier: Apache-2.0

/// One command: declares its flags when made, then runs with their values.
package protocol Command: SendableMetatype {
    /// The words that call it, such as `entry create`.
    static var name: String { get }
    /// One line for listings.
    static var synopsis: String { get }
    /// The name in `Usage of …:`; the command's words unless the original says otherwise.
    static var usageName: String { get }
    /// What follows the usage when help was asked for.
    static var helpEnding: String { get }
    /// Whether a wrong flag is named once more after the usage.
    static var repeatsFlagErrors: Bool { get }

    init(_ flags: FlagSet)
    /// - Throws: `CommandFailure`, or any error, whose text becomes the message.
    func run(_ console: Console) async throws
}

extension Command {
    package static var usageName: String { name }
    package static var helpEnding: String { "flag: help requested" }
    package static var repeatsFlagErrors: Bool { false }
}
