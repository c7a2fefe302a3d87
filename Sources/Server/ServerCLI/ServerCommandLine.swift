// SPDX-License-Identifier: Apache-2.0

package import CLISupport
import Groundwork

/// The `spire-server` program.
package enum ServerCommandLine {
    static let commands: [any Command.Type] = [
        RunCommand.self, ValidateCommand.self, HealthCheckCommand.self, DevCommand.self,
        TokenGenerate.self,
        EntryCreate.self, EntryUpdate.self, EntryDelete.self, EntryShow.self, EntryCount.self,
        EntryApply.self, EntryExplain.self,
        AgentList.self, AgentCount.self, AgentShow.self, AgentBan.self, AgentEvict.self, AgentPurge.self,
        BundleShow.self, BundleList.self, BundleSet.self, BundleDelete.self, BundleCount.self,
        FederationCreate.self, FederationUpdate.self, FederationDelete.self, FederationList.self, FederationShow.self,
        FederationRefresh.self,
        X509Mint.self, JWTMint.self,
        LocalAuthorityShow<X509AuthorityCalls>.self, LocalAuthorityPrepare<X509AuthorityCalls>.self,
        LocalAuthorityChange<X509AuthorityCalls, ActivateAuthority>.self,
        LocalAuthorityChange<X509AuthorityCalls, TaintAuthority>.self,
        LocalAuthorityChange<X509AuthorityCalls, RevokeAuthority>.self,
        LocalAuthorityShow<JWTAuthorityCalls>.self, LocalAuthorityPrepare<JWTAuthorityCalls>.self,
        LocalAuthorityChange<JWTAuthorityCalls, ActivateAuthority>.self,
        LocalAuthorityChange<JWTAuthorityCalls, TaintAuthority>.self,
        LocalAuthorityChange<JWTAuthorityCalls, RevokeAuthority>.self,
        UpstreamAuthorityTaint.self, UpstreamAuthorityRevoke.self,
        LoggerGet.self, LoggerSet.self, LoggerReset.self, DebugGetInfo.self,
        MigratePlan.self,
        BackupCreate.self, BackupVerify.self, BackupRestore.self,
        AuditVerify.self, AuditSearch.self,
    ]

    /// Commands that belong to a feature which `SPIRE_SERVER_FFLAGS` switches on, with the feature's name.
    static let flagged: [(flag: String, command: any Command.Type)] = [("wit-svid", WITMint.self)]

    /// Commands that print their failures themselves, in full.
    private static let plain: Set<String> = [RunCommand.name, ValidateCommand.name, DevCommand.name]

    /// With every command, as the manual page shows them.
    static let program = program(commands + flagged.map(\.command))

    private static func program(_ commands: [any Command.Type]) -> CommandLineProgram {
        CommandLineProgram(
            name: "spire-server", version: Version.text, commands: commands, facts: manual,
            failurePrefix: { plain.contains($0) ? "" : "Error: " })
    }

    /// Runs one command line, the program's own name left out.
    /// - Returns: the exit code.
    package static func run(_ arguments: [String], _ console: Console = .process()) async -> Int32 {
        let flags = (console.environment["SPIRE_SERVER_FFLAGS"] ?? "").split(separator: " ")
        let hidden = flagged.filter { !flags.contains($0.flag[...]) }
        if hidden.isEmpty || arguments.first == "-man" || arguments.first == "--man" {
            return await program.run(arguments, console)
        }
        let shown = flagged.filter { flags.contains($0.flag[...]) }
        return await program(commands + shown.map(\.command)).run(arguments, console)
    }

    private static var manual: ManualFacts {
        var facts = ManualFacts()
        facts.summary = "the SPIRE server: identities for a trust domain, and the commands that administer it"
        facts.description =
            "Runs a server, or talks to a running one over its local socket. Results go to standard output, failures to standard error."
        facts.environment = [
            .init("SPIRE_SERVER_PRIVATE_SOCKET", "The local socket, when neither -socketPath nor -instance is given."),
            .init(
                "SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE",
                "A path in which %i stands for the name that -instance gives."),
            .init(
                "SPIRE_SERVER_FFLAGS",
                "Features, separated by spaces, whose commands are offered. With wit-svid: wit mint."),
        ]
        facts.files = [
            .init("conf/server/server.conf", "The configuration file, unless -config names another."),
            .init(ServerConnectionFlags.fallback, "The local socket."),
        ]
        facts.signals = [
            .init("SIGINT, SIGTERM", "Stops the server gracefully."),
            .init("SIGUSR2", "Opens the log file anew, after it was moved away."),
        ]
        return facts
    }
}
