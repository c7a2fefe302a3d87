// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct FederationCreate: Command {
    static let name = "federation create"
    static let synopsis = "Creates a dynamic federation relationship with a foreign trust domain"
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
                    TrustDomainMethods.batchCreateFederationRelationship,
                    .with { $0.federationRelationships = relationships })
            } catch {
                throw CommandFailure("request failed: \(error.harmless)")
            }
        }
        let results = response.results.map { (status: $0.status, relationship: $0.federationRelationship) }
        try FederationBatch.show(console, output.value, results, asked: relationships, verb: "create")
    }
}

/// Results of writing many relationships.
enum FederationBatch {
    /// - Parameter asked: What the request held: shown for those that failed, which the answer leaves out.
    /// - Throws: the command's failure when one failed; with JSON none does, as in the original.
    static func show(
        _ console: Console, _ format: OutputFormat,
        _ results: [(status: Spire_Api_Types_Status, relationship: RelationshipMessage)],
        asked: [RelationshipMessage], verb: String
    ) throws {
        let filled = results.enumerated().map { index, result in
            (
                status: result.status,
                relationship: result.status.isOK || index >= asked.count ? result.relationship : asked[index]
            )
        }
        let json: JSONNode = .object([
            "results": .array(
                filled.map {
                    .object(["status": JSONNode($0.status), "federation_relationship": JSONNode($0.relationship)])
                })
        ])
        try console.show(format, json: json) {
            for result in filled where result.status.isOK { console.out("\n" + result.relationship.pretty) }
            let failed = filled.filter { !$0.status.isOK }
            for result in failed {
                console.out("\n")
                console.err("Failed to \(verb) the following federation relationship \(result.status.described):\n")
                console.err(result.relationship.pretty)
            }
            if !failed.isEmpty { throw CommandFailure("failed to \(verb) one or more federation relationships") }
        }
    }
}
