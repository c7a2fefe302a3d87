// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct FederationRefresh: Command {
    static let name = "federation refresh"
    static let synopsis = "Refreshes the bundle from the specified federated trust domain"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let id: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        id = flags.string("id", "", "SPIFFE ID of the trust domain")
    }

    func run(_ console: Console) async throws {
        guard !id.value.isEmpty else { throw CommandFailure("id is required") }
        let wanted = id.value
        try await connection.withServer(console) { client in
            do {
                _ = try await client.unary(TrustDomainMethods.refreshBundle, .with { $0.trustDomain = wanted })
            } catch let status as RPCStatus where status.code == .notFound {
                throw CommandFailure("there is no federation relationship with trust domain \(GoText.quoted(wanted))")
            } catch {
                throw CommandFailure("failed to refresh bundle: \(error.harmless)")
            }
        }
        console.show(output.value, json: JSONNode(Spire_Api_Types_Status.with { $0.message = "OK" })) {
            console.out("Bundle refreshed\n")
        }
    }
}
