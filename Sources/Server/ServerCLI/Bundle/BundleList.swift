// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct BundleList: Command {
    static let name = "bundle list"
    static let synopsis = "Lists federated bundle data"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let id: Flag<String>
    private let format: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        id = flags.string("id", "", "SPIFFE ID of the trust domain")
        format = flags.string(
            "format", "pem",
            "The format to list federated bundles (only pretty output format supports this flag). Either \"pem\" or \"spiffe\".")
    }

    func run(_ console: Console) async throws {
        let format = try BundleFormat(format.value)
        if !id.value.isEmpty {
            var request = Spire_Api_Server_Bundle_V1_GetFederatedBundleRequest()
            request.trustDomain = id.value
            let wanted = request
            let bundle = try await connection.withServer(console) {
                try await $0.unary(BundleMethods.getFederatedBundle, wanted)
            }
            try console.show(output.value, json: JSONNode(bundle)) { console.out(try format.text(bundle)) }
            return
        }
        let response = try await connection.withServer(console) {
            try await $0.unary(BundleMethods.listFederatedBundles, .init())
        }
        let json: JSONNode = .object([
            "bundles": .array(response.bundles.map { JSONNode($0) }),
            "next_page_token": .string(response.nextPageToken),
        ])
        try console.show(output.value, json: json) {
            for (number, bundle) in response.bundles.enumerated() {
                if number > 0 { console.out("\n") }
                let rule = String(repeating: "*", count: 40)
                console.out("\(rule)\n* \(bundle.trustDomain.harmless)\n\(rule)\n")
                console.out(try format.text(bundle))
            }
        }
    }
}
