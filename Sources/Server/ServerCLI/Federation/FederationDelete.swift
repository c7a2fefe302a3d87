// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct FederationDelete: Command {
    static let name = "federation delete"
    static let synopsis = "Deletes a dynamic federation relationship"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let id: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        id = flags.string("id", "", "SPIFFE ID of the trust domain of the relationship")
    }

    func run(_ console: Console) async throws {
        guard !id.value.isEmpty else { throw CommandFailure("id is required") }
        let wanted = id.value
        let response = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    TrustDomainMethods.batchDeleteFederationRelationship, .with { $0.trustDomains = [wanted] })
            } catch {
                throw CommandFailure("failed to delete federation relationship: \(error.harmless)")
            }
        }
        let json: JSONNode = .object([
            "results": .array(
                response.results.map {
                    .object(["status": JSONNode($0.status), "trust_domain": .string($0.trustDomain)])
                })
        ])
        try console.show(output.value, json: json) {
            for result in response.results {
                guard result.status.isOK else {
                    throw CommandFailure(
                        "failed to delete federation relationship \(GoText.quoted(result.trustDomain)): \(result.status.message.harmless)")
                }
                console.out("federation relationship deleted.\n")
            }
        }
    }
}
