// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct BundleDelete: Command {
    static let name = "bundle delete"
    static let synopsis = "Deletes federated bundle data"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let id: Flag<String>
    private let mode: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        id = flags.string("id", "", "SPIFFE ID of the trust domain")
        mode = flags.string(
            "mode", "restrict",
            "Deletion mode: one of restrict, delete, or dissociate")
    }

    func run(_ console: Console) async throws {
        guard !id.value.isEmpty else { throw CommandFailure("id is required") }
        var request = Spire_Api_Server_Bundle_V1_BatchDeleteFederatedBundleRequest()
        switch mode.value {
        case "restrict": request.mode = .restrict
        case "delete": request.mode = .delete
        case "dissociate": request.mode = .dissociate
        default: throw CommandFailure("unsupported mode \(GoText.quoted(mode.value))")
        }
        request.trustDomains = [id.value]
        let wanted = request
        let response = try await connection.withServer(console) { client in
            do {
                return try await client.unary(BundleMethods.batchDeleteFederatedBundle, wanted)
            } catch {
                throw CommandFailure("failed to delete federated bundle: \(error.harmless)")
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
                        "failed to delete federated bundle \(GoText.quoted(result.trustDomain)): \(result.status.message.harmless)")
                }
                console.out("bundle deleted.\n")
            }
        }
    }
}
