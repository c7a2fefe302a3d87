// SPDX-License-Identifier: Apache-2.0

package import CLISupport
import Groundwork

/// The `spire-agent` program.
package enum AgentCommandLine {
    static let commands: [any Command.Type] = [
        RunCommand.self, ValidateCommand.self, HealthCheckCommand.self,
        FetchDefault.self, FetchX509.self, FetchJWT.self, ValidateJWT.self, WatchCommand.self,
    ]

    static let program = CommandLineProgram(
        name: "spire-agent", version: Version.text, commands: commands, failurePrefix: { _ in "" })

    /// Runs one command line, the program's own name left out.
    /// - Returns: the exit code.
    package static func run(_ arguments: [String], _ console: Console = .process()) async -> Int32 {
        await program.run(arguments, console)
    }
}
