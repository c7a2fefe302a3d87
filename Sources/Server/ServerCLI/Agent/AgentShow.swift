// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct AgentShow: Command {
    static let name = "agent show"
    static let synopsis = "Shows the details of an attested agent given its SPIFFE ID"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let spiffeID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        spiffeID = flags.string("spiffeID", "", "The SPIFFE ID of the agent to show (agent identity)")
    }

    func run(_ console: Console) async throws {
        guard !spiffeID.value.isEmpty else { throw CommandFailure("a SPIFFE ID is required") }
        var request = Spire_Api_Server_Agent_V1_GetAgentRequest()
        request.id = try Spire_Api_Types_SPIFFEID(flag: "spiffeID", spiffeID.value)
        let wanted = request
        let agent = try await connection.withServer(console) { try await $0.unary(AgentMethods.getAgent, wanted) }
        console.show(output.value, json: JSONNode(agent)) {
            console.out("Found an attested agent given its SPIFFE ID\n\n" + agent.pretty + "\n")
            for selector in agent.selectors {
                console.out("Selectors         : \("\(selector.type):\(selector.value)".harmless)\n")
            }
        }
    }
}
