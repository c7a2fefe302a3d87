// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct FederationShow: Command {
    static let name = "federation show"
    static let synopsis = "Shows a dynamic federation relationship"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let trustDomain: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        trustDomain = flags.string("trustDomain", "", "The trust domain name of the relationship")
    }

    func run(_ console: Console) async throws {
        guard !trustDomain.value.isEmpty else { throw CommandFailure("a trust domain name is required") }
        let wanted = trustDomain.value
        let relationship = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    TrustDomainMethods.getFederationRelationship, .with { $0.trustDomain = wanted })
            } catch {
                throw CommandFailure("error showing federation relationship: \(error.harmless)")
            }
        }
        console.show(output.value, json: JSONNode(relationship)) {
            console.out("Found a federation relationship with trust domain \(relationship.trustDomain.harmless):\n\n")
            console.out(relationship.pretty)
        }
    }
}
