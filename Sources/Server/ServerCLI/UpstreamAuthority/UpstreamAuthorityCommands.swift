// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import RPC
import SwiftProtobuf

struct UpstreamAuthorityTaint: Command {
    static let name = "upstreamauthority taint"
    static let synopsis = "Marks an X.509 upstream authority as no longer to be trusted"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let subjectKeyID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        subjectKeyID = UpstreamAuthorityText.flag(flags, "taint")
    }

    func run(_ console: Console) async throws {
        let wanted = try UpstreamAuthorityText.required(subjectKeyID)
        let id = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    LocalAuthorityMethods.taintX509UpstreamAuthority, .with { $0.subjectKeyID = wanted }
                ).upstreamAuthoritySubjectKeyID
            } catch {
                throw CommandFailure("could not taint X.509 upstream authority: \(error.harmless)")
            }
        }
        UpstreamAuthorityText.show(console, output.value, "Tainted", id)
    }
}

struct UpstreamAuthorityRevoke: Command {
    static let name = "upstreamauthority revoke"
    static let synopsis = "Removes a tainted X.509 upstream authority from the bundle"
    private let connection: ServerConnectionFlags
    private let output: Flag<OutputFormat>
    private let subjectKeyID: Flag<String>

    init(_ flags: FlagSet) {
        connection = ServerConnectionFlags(flags)
        output = flags.output()
        subjectKeyID = UpstreamAuthorityText.flag(flags, "revoke")
    }

    func run(_ console: Console) async throws {
        let wanted = try UpstreamAuthorityText.required(subjectKeyID)
        let id = try await connection.withServer(console) { client in
            do {
                return try await client.unary(
                    LocalAuthorityMethods.revokeX509UpstreamAuthority, .with { $0.subjectKeyID = wanted }
                ).upstreamAuthoritySubjectKeyID
            } catch {
                throw CommandFailure("could not revoke X.509 upstream authority: \(error.harmless)")
            }
        }
        UpstreamAuthorityText.show(console, output.value, "Revoked", id)
    }
}

private enum UpstreamAuthorityText {
    static func flag(_ flags: FlagSet, _ verb: String) -> Flag<String> {
        flags.string(
            "subjectKeyID", "",
            "Subject key ID, in hex, of the X.509 upstream authority to \(verb)")
    }

    static func required(_ flag: Flag<String>) throws -> String {
        guard !flag.value.isEmpty else {
            throw CommandFailure("the Subject Key ID of the X.509 upstream authority is required")
        }
        return flag.value
    }

    static func show(_ console: Console, _ format: OutputFormat, _ done: String, _ id: String) {
        console.show(format, json: .object(["upstream_authority_subject_key_id": .string(id)])) {
            console.out("\(done) X.509 upstream authority:\n  Subject Key ID: \(id.harmless)\n")
        }
    }
}
