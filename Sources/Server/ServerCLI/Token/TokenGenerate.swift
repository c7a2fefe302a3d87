// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct TokenGenerate: Command {
    static let name = "token generate"
    static let synopsis = "Generates a join token"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let ttl: Flag<Int>
    private let spiffeID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        ttl = flags.int("ttl", 600, "Token TTL in seconds")
        spiffeID = flags.string("spiffeID", "", "Additional SPIFFE ID to assign the token owner (optional)")
    }

    func run(_ console: Console) async throws {
        var request = Spire_Api_Server_Agent_V1_CreateJoinTokenRequest()
        request.ttl = try SPIRE.ttl(ttl.value, "TTL")
        if !spiffeID.value.isEmpty { request.agentID = try Spire_Api_Types_SPIFFEID(flag: "spiffeID", spiffeID.value) }
        let wanted = request
        let token = try await connection.withServer(console) { try await $0.unary(AgentMethods.createJoinToken, wanted) }
        console.show(
            output.value,
            json: .object(["value": .string(token.value), "expires_at": .int64(token.expiresAt)])
        ) {
            console.out("Token: \(token.value.harmless)\n")
            if spiffeID.value.isEmpty { console.out("Warning: Missing SPIFFE ID.\n") }
        }
    }
}
