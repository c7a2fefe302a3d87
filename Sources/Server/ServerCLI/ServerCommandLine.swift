// SPDX-License-Identifier: Apache-2.0

package import CLISupport
import Groundwork

/// The `spire-server` program.
package enum ServerCommandLine {
    static let commands: [any Command.Type] = [
        RunCommand.self, ValidateCommand.self, HealthCheckCommand.self, DevCommand.self,
        TokenGenerate.self,
        EntryCreate.self, EntryUpdate.self, EntryDelete.self, EntryShow.self, EntryCount.self,
        AgentList.self, AgentCount.self, AgentShow.self, AgentBan.self, AgentEvict.self, AgentPurge.self,
        BundleShow.self, BundleList.self, BundleSet.self, BundleDelete.self, BundleCount.self,
        X509Mint.self, JWTMint.self,
    ]

    /// Commands that print their failures themselves, in full.
    private static let plain: Set<String> = [RunCommand.name, ValidateCommand.name, DevCommand.name]

    static let program = CommandLineProgram(
        name: "spire-server", version: Version.text, commands: commands,
        failurePrefix: { plain.contains($0) ? "" : "Error: " })

    /// Runs one command line, the program's own name left out.
    /// - Returns: the exit code.
    package static func run(_ arguments: [String], _ console: Console = .process()) async -> Int32 {
        await program.run(arguments, console)
    }
}
