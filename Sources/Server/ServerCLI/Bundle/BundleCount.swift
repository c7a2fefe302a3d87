// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct BundleCount: Command {
    static let name = "bundle count"
    static let synopsis = "Count bundles"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let count = try await connection.withServer(console) {
            try await $0.unary(BundleMethods.countBundles, .init()).count
        }
        console.show(output.value, json: .object(["count": .int(count)])) {
            console.out("\(count) \(count == 1 ? "bundle" : "bundles")\n")
        }
    }
}
