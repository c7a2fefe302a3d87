// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct FederationList: Command {
    static let name = "federation list"
    static let synopsis = "Lists all dynamic federation relationships"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let response = try await connection.withServer(console) { client in
            do {
                return try await client.unary(TrustDomainMethods.listFederationRelationships, .init())
            } catch {
                throw CommandFailure("error listing federation relationships: \(error.harmless)")
            }
        }
        let found = response.federationRelationships
        let json: JSONNode = .object([
            "federation_relationships": .array(found.map { JSONNode($0) }),
            "next_page_token": .string(response.nextPageToken),
        ])
        console.show(output.value, json: json) {
            console.out("Found \(found.count) federation relationship\(found.count == 1 ? "" : "s")\n")
            for relationship in found { console.out("\n" + relationship.pretty) }
        }
    }
}
