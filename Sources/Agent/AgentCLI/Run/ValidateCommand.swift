// SPDX-License-Identifier: Apache-2.0

import AgentRuntime
import CLISupport

struct ValidateCommand: Command {
    static let name = "validate"
    static let synopsis = "Validates a SPIRE agent configuration file"
    private let file: AgentFileFlags

    init(_ flags: FlagSet) { file = AgentFileFlags(flags) }

    func run(_ console: Console) async throws {
        do {
            let config = try file.load(console)
            _ = try config.resolvedPlugins()
        } catch {
            throw CommandFailure("SPIRE agent configuration file is invalid: \(error)")
        }
        console.out("SPIRE agent configuration file is valid.\n")
    }
}
