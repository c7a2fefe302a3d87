// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct AgentList: Command {
    static let name = "agent list"
    static let synopsis = "Lists attested agents and their SPIFFE IDs"
    /// Agents a page.
    private static let pageSize: Int32 = 1000
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let filter: AgentFilterFlags

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        filter = AgentFilterFlags(flags)
    }

    func run(_ console: Console) async throws {
        let filter = try filter.filter()
        let agents = try await connection.withServer(console) { client in
            var all: [Spire_Api_Types_Agent] = []
            var request = Spire_Api_Server_Agent_V1_ListAgentsRequest()
            request.filter = filter
            request.pageSize = Self.pageSize
            repeat {
                let page = try await client.unary(AgentMethods.listAgents, request)
                all += page.agents
                request.pageToken = page.nextPageToken
            } while !request.pageToken.isEmpty
            return all
        }
        let json: JSONNode = .object(["agents": .array(agents.map { JSONNode($0) }), "next_page_token": .string("")])
        console.show(output.value, json: json) {
            if agents.isEmpty {
                console.out("No attested agents found\n")
                return
            }
            console.out("Found \(agents.count) attested \(agents.count == 1 ? "agent" : "agents"):\n\n")
            for agent in agents { console.out(agent.pretty + "\n") }
        }
    }
}
