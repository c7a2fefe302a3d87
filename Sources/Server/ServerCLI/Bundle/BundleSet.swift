// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SPIFFE

struct BundleSet: Command {
    static let name = "bundle set"
    static let synopsis = "Creates or updates federated bundle data"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let id: Flag<String>
    private let path: Flag<String>
    private let format: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        id = flags.string("id", "", "SPIFFE ID of the trust domain")
        path = flags.string("path", "", "Path to the bundle data")
        format = flags.string("format", "pem", "The format of the bundle data. Either \"pem\" or \"spiffe\".")
    }

    func run(_ console: Console) async throws {
        guard !id.value.isEmpty else { throw CommandFailure("id flag is required") }
        let format = try BundleFormat(format.value)
        let data: [UInt8]
        do {
            data = try InputFile.read(path.value.isEmpty ? "-" : path.value)
        } catch {
            throw CommandFailure("unable to load bundle data: \(error)")
        }
        var request = Spire_Api_Server_Bundle_V1_BatchSetFederatedBundleRequest()
        request.bundle = [
            try format.read(
                data, TrustDomain(id.value), malformedPEM: "unable to parse bundle data",
                malformedDocument: "unable to parse to spiffe bundle")
        ]
        let wanted = request
        let response = try await connection.withServer(console) { client in
            do {
                return try await client.unary(BundleMethods.batchSetFederatedBundle, wanted)
            } catch {
                throw CommandFailure("failed to set federated bundle: \(error.harmless)")
            }
        }
        let json: JSONNode = .object([
            "results": .array(
                response.results.map {
                    .object([
                        "status": JSONNode($0.status), "bundle": $0.hasBundle ? JSONNode($0.bundle) : .null,
                    ])
                })
        ])
        try console.show(output.value, json: json) {
            for result in response.results {
                guard result.status.isOK else {
                    throw CommandFailure("failed to set federated bundle: \(result.status.message.harmless)")
                }
                console.out("bundle set.\n")
            }
        }
    }
}
