// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct BundleShow: Command {
    static let name = "bundle show"
    static let synopsis = "Prints server CA bundle to stdout"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let format: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        format = flags.string(
            "format", "pem", "The format to show the bundle (only pretty output format supports this flag). Either \"pem\" or \"spiffe\".")
    }

    func run(_ console: Console) async throws {
        let format = try BundleFormat(format.value)
        let bundle = try await connection.withServer(console) { try await $0.unary(BundleMethods.getBundle, .init()) }
        try console.show(output.value, json: JSONNode(bundle)) { console.out(try format.text(bundle)) }
    }
}
