// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import Groundwork
import TestKit
import Testing

@testable import AgentCLI

/// What every command prints, recorded in `Tests/Fixtures/agent-cli/session.golden`; `UPDATE_GOLDENS=1` records anew.
struct AgentSessionTests {
    /// A command to run, and the environment's variables if any.
    private static let commands: [(line: String, environment: [String: String])] = [
        ("healthcheck -socketPath <dir>/agent.sock", [:]), ("healthcheck -verbose -shallow -socketPath <dir>/agent.sock", [:]),
        ("healthcheck -socketPath <dir>/denied.sock", [:]), ("healthcheck -socketPath <dir>/broken.sock", [:]),
        ("healthcheck -socketPath <dir>/nobody.sock", [:]), ("healthcheck -verbose -socketPath <dir>/nobody.sock", [:]),
        ("healthcheck -nonsense", [:]),
        ("api fetch -socketPath <dir>/agent.sock", [:]), ("api fetch x509 -socketPath <dir>/agent.sock", [:]),
        ("api fetch x509 -socketPath <dir>/agent.sock -output json", [:]),
        ("api fetch x509 -socketPath=<dir>/agent.sock -silent", [:]),
        ("api fetch x509 --socketPath <dir>/agent.sock -silent -write <dir>/out", [:]),
        ("api fetch x509 -socketPath <dir>/agent.sock -silent -write <dir>/missing", [:]),
        ("api fetch x509 -socketPath <dir>/denied.sock", [:]), ("api fetch x509 -socketPath <dir>/denied.sock -output json", [:]),
        ("api fetch x509 -socketPath <dir>/broken.sock", [:]), ("api fetch x509 -socketPath <dir>/nobody.sock", [:]),
        ("api fetch x509 -output yaml", [:]), ("api fetch x509 -timeout soon", [:]),
        ("api fetch x509 -silent", ["SPIRE_AGENT_PUBLIC_SOCKET": "<dir>/agent.sock"]),
        ("api fetch x509 -instance one -silent", ["SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE": "<dir>/%i.sock"]),
        ("api fetch x509 -instance agent -silent", ["SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE": "<dir>/%i.sock"]),
        ("api fetch x509 -instance one", [:]), ("api fetch x509 -instance one", ["SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE": "none"]),
        ("api fetch jwt -audience a,b -socketPath <dir>/agent.sock", [:]),
        ("api fetch jwt -audience a -spiffeID spiffe://example.org/web -socketPath <dir>/agent.sock -output json", [:]),
        ("api fetch jwt -audience a -socketPath <dir>/agent.sock -format json", [:]),
        ("api fetch jwt -audience a -spiffeID spiffe://example.org/nobody -socketPath <dir>/agent.sock", [:]),
        ("api fetch jwt -socketPath <dir>/agent.sock", [:]), ("api fetch jwt -audience a -socketPath <dir>/denied.sock", [:]),
        ("api validate jwt -audience a -svid good -socketPath <dir>/agent.sock", [:]),
        ("api validate jwt -audience a -svid good -socketPath <dir>/agent.sock -output json", [:]),
        ("api validate jwt -audience b -svid bad -socketPath <dir>/agent.sock", [:]),
        ("api validate jwt -audience b -svid good -socketPath <dir>/denied.sock", [:]),
        ("api validate jwt -svid good", [:]), ("api validate jwt -audience a", [:]),
        ("validate -config <dir>/good.conf", [:]), ("validate -config <dir>/bad.conf", [:]),
        ("validate -config <dir>/none.conf", [:]), ("run -config <dir>/bad.conf", [:]), ("run -nonsense", [:]),
        ("--version", [:]), ("-v", [:]), ("", [:]), ("--help", [:]), ("nonsense", [:]), ("api", [:]), ("api nonsense", [:]),
        ("-socketPath x api fetch", [:]),
        ("api fetch -h", [:]), ("api fetch x509 -h", [:]), ("api fetch jwt -h", [:]), ("api validate jwt -h", [:]),
        ("api watch -h", [:]), ("api watch -output json", [:]), ("healthcheck -h", [:]), ("run -h", [:]), ("validate -h", [:]),
    ]

    private static let golden =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Fixtures/agent-cli/session.golden"

    @Test("every command prints what the recorded session says")
    func session() async throws {
        try await CannedAgent.run { agent in
            let good = """
                agent {
                  data_dir = "\(agent.folder)/data"
                  server_address = "localhost"
                  server_port = 8081
                  trust_domain = "example.org"
                  insecure_bootstrap = true
                }
                plugins {
                  KeyManager "memory" { plugin_data {} }
                  NodeAttestor "join_token" { plugin_data {} }
                  WorkloadAttestor "unix" { plugin_data {} }
                }

                """
            try AtomicFile.write(Array(good.utf8), to: agent.folder + "/good.conf")
            let bad = good.replacing("server_port = 8081", with: "server_port = \"x\"").replacing("data_dir", with: "date_dir")
            try AtomicFile.write(Array(bad.utf8), to: agent.folder + "/bad.conf")
            var steps: [GoldenSession.Step] = []
            for (line, environment) in Self.commands {
                let outcome = await run(line, environment, agent)
                let settings = environment.map { "\($0.key)=\($0.value) " }.joined()
                steps.append(.init(command: (settings + "spire-agent " + line).trimmingTrailingSpace, lines: outcome.lines))
            }
            var now = GoldenSession("")
            now.steps = steps
            if ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] != nil {
                try AtomicFile.write(Array(now.text.utf8), to: Self.golden, mode: 0o644)
            }
            let text = try #require(try AtomicFile.read(Self.golden))
            let recorded = GoldenSession(String(decoding: text, as: UTF8.self))
            #expect(now.steps.map(\.command) == recorded.steps.map(\.command))
            for (ours, theirs) in zip(now.steps, recorded.steps) {
                #expect(ours.lines == theirs.lines, "\(ours.command)")
            }
        }
    }

    @Test("written identities verify, and only the owner may read their keys")
    func written() async throws {
        try await CannedAgent.run { agent in
            let outcome = await run("api fetch x509 -socketPath <dir>/agent.sock -silent -write <dir>/out", [:], agent)
            #expect(outcome.exitCode == 0)
            let names = try FileManager.default.contentsOfDirectory(atPath: agent.folder + "/out").sorted()
            #expect(
                names == (0..<2).flatMap { ["bundle.\($0).pem", "federated_bundle.\($0).0.pem", "svid.\($0).key", "svid.\($0).pem"] }
                    .sorted())
            for name in names {
                let mode = try FileManager.default.attributesOfItem(atPath: "\(agent.folder)/out/\(name)")[.posixPermissions]
                #expect(mode as? Int == (name.hasSuffix(".key") ? 0o600 : 0o644), "\(name)")
            }
            // The second has an intermediate authority in its chain.
            let chain = try #require(try AtomicFile.read(agent.folder + "/out/svid.1.pem"))
            #expect(String(decoding: chain, as: UTF8.self).split(separator: "-----BEGIN CERTIFICATE-----").count == 2)
        }
    }

    @Test("nothing that reached the agent steers the terminal or makes lines; JSON holds it as it is")
    func hostile() async throws {
        let commands = [
            "api fetch", "api fetch x509", "api fetch x509 -write <dir>/out", "api fetch jwt -audience a",
            "api validate jwt -audience a -svid good", "api validate jwt -audience a -svid bad",
        ]
        try await CannedAgent.run { agent in
            for command in commands {
                let outcome = await run(command + " -socketPath <dir>/hostile.sock", [:], agent)
                let text = outcome.out + outcome.err
                #expect(text.contains("FORGED"), "$ \(command)")
                for line in text.split(separator: "\n") { #expect(!line.hasPrefix("FORGED"), "$ \(command)") }
                #expect(!text.contains("\tend"), "$ \(command)")
                for scalar in text.unicodeScalars where scalar != "\n" && scalar != "\t" {
                    let steers = scalar.properties.generalCategory == .control || scalar.properties.isBidiControl
                    #expect(!steers && scalar != "\u{2028}", "$ \(command)")
                }
            }
            let exact = JSONNode.string(CannedAgent.spoiling).text.dropFirst().dropLast()
            for command in ["api fetch x509 -output json", "api fetch jwt -audience a -output json"] {
                let outcome = await run(command + " -socketPath <dir>/hostile.sock", [:], agent)
                #expect(outcome.out.contains(exact), "$ \(command)")
            }
        }
    }

    @Test("every command there is has been recorded")
    func complete() {
        for name in AgentCommandLine.program.commandNames {
            #expect(Self.commands.contains { $0.line == "\(name) -h" }, "\(name) -h is not in the session")
        }
    }

    private func run(
        _ line: String, _ environment: [String: String], _ agent: CannedAgent
    ) async -> GoldenSession.Outcome {
        let place = { (text: String) in text.replacing("<dir>", with: agent.folder) }
        let out = Watch("")
        let err = Watch("")
        let console = Console(
            out: { text in out.update { $0 += text } }, err: { text in err.update { $0 += text } },
            environment: environment.mapValues(place))
        let code = await AgentCommandLine.run(line.split(separator: " ").map { place(String($0)) }, console)
        return .init(out: agent.masked(out.value), err: agent.masked(err.value), exitCode: code)
    }
}

extension CannedAgent {
    /// The text with names in place of what differs from run to run.
    fileprivate func masked(_ text: String) -> String {
        var text = text
        for (value, name) in names { text = text.replacing(value, with: name) }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard line.hasPrefix("Received "), let after = line.firstRange(of: " after ") else { return String(line) }
            return line[..<after.upperBound] + "<time>"
        }.joined(separator: "\n")
    }
}

extension String {
    fileprivate var trimmingTrailingSpace: String { hasSuffix(" ") ? String(dropLast()) : self }
}
