// SPDX-License-Identifier: Apache-2.0

import CLISupport
import ServerRuntime

struct ValidateCommand: Command {
    static let name = "validate"
    static let synopsis = "Validates a SPIRE server configuration file"
    private let file: ServerFileFlags

    init(_ flags: FlagSet) { file = ServerFileFlags(flags) }

    func run(_ console: Console) async throws {
        do {
            let config = try file.load(console)
            _ = try config.resolvedPlugins()
        } catch {
            throw CommandFailure("SPIRE server configuration file is invalid: \(error)")
        }
        console.out("SPIRE server configuration file is valid.\n")
    }
}
