// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC

struct DebugGetInfo: Command {
    static let name = "debug getinfo"
    static let synopsis = "Displays server debug information"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        let info = try await connection.withServer(console) {
            try await $0.unary(DebugMethods.getInfo, .init())
        }
        let json: JSONNode = .object([
            "svid_chain": .array(
                info.svidChain.map {
                    .object([
                        "id": $0.hasID ? JSONNode($0.id) : .null, "expires_at": .int64($0.expiresAt),
                        "subject": .string($0.subject),
                    ])
                }),
            "uptime": .int(info.uptime), "agents_count": .int(info.agentsCount),
            "federated_bundles_count": .int(info.federatedBundlesCount), "entries_count": .int(info.entriesCount),
        ])
        console.show(output.value, json: json) { console.out(Self.pretty(info)) }
    }

    private static func pretty(_ info: Spire_Api_Server_Debug_V1_GetInfoResponse) -> String {
        var text = "Server Debug Info:\n"
        text += "  Uptime:                  \(GoText.duration(.seconds(info.uptime)))\n"
        text += "  Registered Agents:       \(info.agentsCount)\n"
        text += "  Registration Entries:    \(info.entriesCount)\n"
        text += "  Federated Bundles:       \(info.federatedBundlesCount)\n"
        guard !info.svidChain.isEmpty else { return text }
        text += "  SVID Chain:\n"
        for (index, certificate) in info.svidChain.enumerated() {
            text += "    [\(index)] SPIFFE ID:  \(certificate.hasID ? certificate.id.text.harmless : "(none)")\n"
            text += "        Subject:    \(certificate.subject.harmless)\n"
            text += "        Expires At: \(GoText.rfc3339(certificate.expiresAt))\n"
        }
        return text
    }
}
