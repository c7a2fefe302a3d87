// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import RPC
import WorkloadProtos

struct FetchJWT: Command {
    static let name = "api fetch jwt"
    static let usageName = "fetch jwt"
    static let synopsis = "Fetches a JWT SVID from the Workload API"
    static let helpEnding = ""
    static let repeatsFlagErrors = true
    private let connection: WorkloadConnectionFlags
    private let output: Flag<OutputFormat>
    private let audience: Flag<String>
    private let spiffeID: Flag<String>
    private let timeout: Flag<Duration>

    init(_ flags: FlagSet) {
        connection = WorkloadConnectionFlags(flags)
        output = flags.output()
        flags.alias("format", of: "output", "deprecated; use -output")
        audience = flags.string("audience", "", "comma separated list of audience values")
        spiffeID = flags.string("spiffeID", "", "SPIFFE ID subject (optional)")
        timeout = flags.duration("timeout", .seconds(5), "Time to wait for a response", kind: "value")
    }

    func run(_ console: Console) async throws {
        guard !audience.value.isEmpty else { throw CommandFailure("audience must be specified") }
        let options = WorkloadConnectionFlags.options(timeout: timeout.value)
        var request = Workload_JWTSVIDRequest()
        request.audience = audience.value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        request.spiffeID = spiffeID.value
        let wanted = request
        let (bundles, tokens) = try await connection.withAgent(console) { client in
            let bundles = try await client.serverStreaming(
                WorkloadAPIMethods.fetchJWTBundles, .init(), options: options
            ) {
                guard let first = try await $0.next() else {
                    throw RPCStatus(.unavailable, "the stream ended without an answer")
                }
                return first
            }
            return (bundles, try await client.unary(WorkloadAPIMethods.fetchJWTSVID, wanted, options: options))
        }
        let json: JSONNode = .array([
            .object([
                "svids": .array(
                    tokens.svids.map {
                        .object([
                            "spiffe_id": .string($0.spiffeID), "svid": .string($0.svid), "hint": .string($0.hint),
                        ])
                    })
            ]),
            .object(["bundles": .object(bundles.bundles.mapValues { .bytes($0) })]),
        ])
        console.show(output.value, json: json) {
            for svid in tokens.svids {
                console.out("token(\(svid.spiffeID.harmless)):\n\t\(svid.svid.harmless)\n")
                if !svid.hint.isEmpty { console.out("hint(\(svid.spiffeID.harmless)):\n\t\(svid.hint.harmless)\n") }
            }
            for (trustDomain, keys) in bundles.bundles.sorted(by: { $0.key < $1.key }) {
                console.out("bundle(\(trustDomain.harmless)):\n\t\(String(decoding: keys, as: UTF8.self))\n")
            }
        }
    }
}
