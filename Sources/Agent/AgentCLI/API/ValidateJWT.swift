// SPDX-License-Identifier: Apache-2.0

import CLISupport
import RPC
import SwiftProtobuf
import WorkloadProtos

struct ValidateJWT: Command {
    static let name = "api validate jwt"
    static let usageName = "validate jwt"
    static let synopsis = "Validates a JWT SVID"
    static let helpEnding = ""
    static let repeatsFlagErrors = true
    private let connection: WorkloadConnectionFlags
    private let output: Flag<OutputFormat>
    private let audience: Flag<String>
    private let svid: Flag<String>
    private let timeout: Flag<Duration>

    init(_ flags: FlagSet) {
        connection = WorkloadConnectionFlags(flags)
        output = flags.output()
        audience = flags.string("audience", "", "expected audience value")
        svid = flags.string("svid", "", "JWT SVID")
        timeout = flags.duration("timeout", .seconds(5), "Time to wait for a response", kind: "value")
    }

    func run(_ console: Console) async throws {
        guard !audience.value.isEmpty else { throw CommandFailure("audience must be specified") }
        guard !svid.value.isEmpty else { throw CommandFailure("svid must be specified") }
        var request = Workload_ValidateJWTSVIDRequest()
        request.audience = audience.value
        request.svid = svid.value
        let wanted = request
        let options = WorkloadConnectionFlags.options(timeout: timeout.value)
        let response = try await connection.withAgent(console) { client in
            do {
                return try await client.unary(WorkloadAPIMethods.validateJWTSVID, wanted, options: options)
            } catch let status as RPCStatus where status.code == .invalidArgument {
                throw CommandFailure("SVID is not valid: \(status.message.harmless)")
            } catch {
                throw CommandFailure("unable to validate JWT SVID: \(error.harmless)")
            }
        }
        let claims = JSONNode(response.claims)
        console.show(
            output.value, json: .object(["claims": claims, "spiffe_id": .string(response.spiffeID)])
        ) {
            console.out("SVID is valid.\nSPIFFE ID : \(response.spiffeID.harmless)\nClaims    : \(claims.encoded(escapingHTML: false))\n")
        }
    }
}

extension JSONNode {
    init(_ value: Google_Protobuf_Struct) { self = .object(value.fields.mapValues { JSONNode($0) }) }

    init(_ value: Google_Protobuf_Value) {
        switch value.kind {
        case .numberValue(let number):
            if let whole = Int64(exactly: number), abs(whole) < 1 << 53 {
                self = .int(whole)
            } else {
                self = .number("\(number)")
            }
        case .stringValue(let text): self = .string(text)
        case .boolValue(let flag): self = .bool(flag)
        case .structValue(let inner): self = JSONNode(inner)
        case .listValue(let list): self = .array(list.values.map { JSONNode($0) })
        case .nullValue, nil: self = .null
        }
    }
}
