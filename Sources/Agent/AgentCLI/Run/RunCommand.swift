// SPDX-License-Identifier: Apache-2.0

import AgentRuntime
import CLISupport

struct RunCommand: Command {
    static let name = "run"
    static let synopsis = "Runs the agent"
    static let repeatsFlagErrors = true
    private let file: AgentFileFlags

    init(_ flags: FlagSet) { file = AgentFileFlags(flags) }

    func run(_ console: Console) async throws {
        let config = try file.load(console)
        do {
            try await AgentProgram.run(config: config)
        } catch {
            // It has been logged where it happened.
            throw CommandFailure("")
        }
    }
}
