// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct AgentCount: Command {
    static let name = "agent count"
    static let synopsis = "Count attested agents"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let filter: AgentFilterFlags

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        filter = AgentFilterFlags(flags)
    }

    func run(_ console: Console) async throws {
        let listed = try filter.filter()
        var request = Spire_Api_Server_Agent_V1_CountAgentsRequest()
        request.filter.byAttestationType = listed.byAttestationType
        if listed.hasBySelectorMatch { request.filter.bySelectorMatch = listed.bySelectorMatch }
        if listed.hasByBanned { request.filter.byBanned = listed.byBanned }
        if listed.hasByCanReattest { request.filter.byCanReattest = listed.byCanReattest }
        request.filter.byExpiresBefore = listed.byExpiresBefore
        let wanted = request
        let count = try await connection.withServer(console) {
            try await $0.unary(AgentMethods.countAgents, wanted).count
        }
        console.show(output.value, json: .object(["count": .int(count)])) {
            console.out("\(count) attested \(count == 1 ? "agent" : "agents")\n")
        }
    }
}
