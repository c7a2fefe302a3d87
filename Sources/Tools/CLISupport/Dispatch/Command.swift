// SPDX-License-Identifier: Apache-2.0

/// One command: declares its flags when made, then runs with their values.
package protocol Command: SendableMetatype {
    /// The words that call it, such as `entry create`.
    static var name: String { get }
    /// One line for listings.
    static var synopsis: String { get }
    /// The name in `Usage of …:`; the command's words unless the original says otherwise.
    static var usageName: String { get }
    /// Whether a command line that asks for help or is wrong repeats the reason after the usage.
    static var repeatsFlagErrors: Bool { get }

    init(_ flags: FlagSet)
    /// - Throws: `CommandFailure`, or any error, whose text becomes the message.
    func run(_ console: Console) async throws
}

extension Command {
    package static var usageName: String { name }
    package static var repeatsFlagErrors: Bool { true }
}
