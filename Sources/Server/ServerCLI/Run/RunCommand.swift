// SPDX-License-Identifier: Apache-2.0

import CLISupport
import ServerRuntime

struct RunCommand: Command {
    static let name = "run"
    static let synopsis = "Runs the server"
    static let repeatsFlagErrors = true
    private let file: ServerFileFlags

    init(_ flags: FlagSet) { file = ServerFileFlags(flags) }

    func run(_ console: Console) async throws {
        let config = try file.load(console)
        do {
            try await ServerProgram.run(config: config)
        } catch {
            // It has been logged where it happened.
            throw CommandFailure("")
        }
    }
}
