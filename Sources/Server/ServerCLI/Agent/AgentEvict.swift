// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct AgentEvict: Command {
    static let name = "agent evict"
    static let synopsis = "Evicts an attested agent given its SPIFFE ID"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let spiffeID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        spiffeID = flags.string("spiffeID", "", "The SPIFFE ID of the agent to evict (agent identity)")
    }

    func run(_ console: Console) async throws {
        guard !spiffeID.value.isEmpty else { throw CommandFailure("a SPIFFE ID is required") }
        var request = Spire_Api_Server_Agent_V1_DeleteAgentRequest()
        request.id = try Spire_Api_Types_SPIFFEID(flag: "spiffeID", spiffeID.value)
        let wanted = request
        _ = try await connection.withServer(console) { try await $0.unary(AgentMethods.deleteAgent, wanted) }
        console.show(output.value, json: .object([:])) { console.out("Agent evicted successfully\n") }
    }
}
