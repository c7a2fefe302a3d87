// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials
import Groundwork
import RPC
import SwiftProtobuf

struct AgentPurge: Command {
    static let name = "agent purge"
    static let synopsis = "Purge expired agents that were attested using a non-TOFU security model based on a given time"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let expiredFor: Flag<Duration>
    private let dryRun: Flag<Bool>

    private struct Outcome {
        let id: Spire_Api_Types_SPIFFEID
        var deleted = false
        var error = ""
    }

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        expiredFor = flags.duration(
            "expiredFor", .seconds(720 * 3600),
            "Amount of time that has passed since the agent's SVID has expired. It is used to determine which agents to purge.")
        dryRun = flags.bool(
            "dryRun", "Indicates that the command will not perform any action, but will print the agents that would be purged.")
    }

    func run(_ console: Console) async throws {
        var request = Spire_Api_Server_Agent_V1_ListAgentsRequest()
        request.filter.byCanReattest.value = true
        request.outputMask.x509SvidExpiresAt = true
        let wanted = request
        let dryRun = dryRun.value
        let cutoff = Int64(SystemTime().now.timeIntervalSince1970 - expiredFor.value.inSeconds)
        let outcomes = try await connection.withServer(console) { client in
            var outcomes: [Outcome] = []
            for agent in try await client.unary(AgentMethods.listAgents, wanted).agents {
                guard agent.x509SvidExpiresAt < cutoff else { continue }
                var outcome = Outcome(id: agent.id)
                if !dryRun {
                    var delete = Spire_Api_Server_Agent_V1_DeleteAgentRequest()
                    delete.id = agent.id
                    do {
                        _ = try await client.unary(AgentMethods.deleteAgent, delete)
                        outcome.deleted = true
                    } catch {
                        outcome.error = "\(error)"
                    }
                }
                outcomes.append(outcome)
            }
            return outcomes
        }
        let json: JSONNode = .object([
            "expired_agents": .array(
                outcomes.map {
                    .object([
                        "agent_id": .string($0.id.text), "deleted": .bool($0.deleted),
                        "error": $0.error.isEmpty ? .null : .string($0.error),
                    ])
                })
        ])
        console.show(output.value, json: json) { show(console, outcomes) }
    }

    private func show(_ console: Console, _ outcomes: [Outcome]) {
        guard !outcomes.isEmpty else {
            console.out("No agents to purge.\n")
            return
        }
        console.out("Found \(outcomes.count) expired \(outcomes.count == 1 ? "agent" : "agents")\n\n")
        func list(_ title: String, _ some: [Outcome]) {
            guard !some.isEmpty else { return }
            console.out(title + "\n")
            for outcome in some {
                console.out("SPIFFE ID         : \(outcome.id.text.harmless)\n")
                if !outcome.error.isEmpty { console.out("Error             : \(outcome.error.harmless)\n") }
            }
        }
        if dryRun.value {
            console.out("\n")
            list("Agents that can be purged:", outcomes)
        } else {
            list("Agents purged:", outcomes.filter(\.deleted))
            list("Agents not purged:", outcomes.filter { !$0.deleted })
        }
    }
}
