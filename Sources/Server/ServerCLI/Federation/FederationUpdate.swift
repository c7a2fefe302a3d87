// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct FederationUpdate: Command {
    static let name = "federation update"
    static let synopsis = "Updates a dynamic federation relationship with a foreign trust domain"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let fields: RelationshipFlags

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        fields = RelationshipFlags(flags)
    }

    func run(_ console: Console) async throws {
        let relationships = try fields.relationships()
        let response = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    TrustDomainMethods.batchUpdateFederationRelationship,
                    .with { $0.federationRelationships = relationships })
            } catch {
                throw CommandFailure("request failed: \(error.harmless)")
            }
        }
        let results = response.results.map { (status: $0.status, relationship: $0.federationRelationship) }
        try FederationBatch.show(console, output.value, results, asked: relationships, verb: "update")
    }
}
