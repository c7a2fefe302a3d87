// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport

typealias AuthorityStateMessage = Spire_Api_Server_Localauthority_V1_AuthorityState

extension JSONNode {
    init(_ state: AuthorityStateMessage) {
        self = .object([
            "authority_id": .string(state.authorityID), "expires_at": .int64(state.expiresAt),
            "upstream_authority_subject_key_id": .string(state.upstreamAuthoritySubjectKeyID),
        ])
    }
}

/// Local authorities as commands print them. The X.509 and the JWT commands differ in little.
enum AuthorityText {
    enum Kind: String {
        case x509 = "X.509"
        case jwt = "JWT"
    }

    static func authorityID(_ flags: FlagSet, _ kind: Kind, _ verb: String) -> Flag<String> {
        flags.string("authorityID", "", "ID of the \(kind.rawValue) authority to \(verb), as shown by localauthority")
    }

    static func required(_ id: Flag<String>) throws -> String {
        guard !id.value.isEmpty else { throw CommandFailure("an authority ID is required") }
        return id.value
    }

    /// One authority under its title.
    static func block(_ title: String, _ kind: Kind, _ state: AuthorityStateMessage) -> String {
        "\(title) \(kind.rawValue) authority:\n" + facts(kind, state)
    }

    private static func facts(_ kind: Kind, _ state: AuthorityStateMessage) -> String {
        var text = "  Authority ID: \(state.authorityID.harmless)\n"
        text += "  Expires at: \(GoText.time(state.expiresAt, utc: true))\n"
        guard kind == .x509 else { return text }
        let upstream = state.upstreamAuthoritySubjectKeyID
        text +=
            upstream.isEmpty
            ? "  Upstream authority ID: No upstream authority\n"
            : "  Upstream authority Subject Key ID: \(upstream.harmless)\n"
        return text
    }

    /// All authorities of a kind.
    static func show(
        _ console: Console, _ format: OutputFormat, _ kind: Kind, active: AuthorityStateMessage?,
        prepared: AuthorityStateMessage?, old: AuthorityStateMessage?
    ) {
        let json: JSONNode = .object([
            "active": active.map { JSONNode($0) } ?? .null, "prepared": prepared.map { JSONNode($0) } ?? .null,
            "old": old.map { JSONNode($0) } ?? .null,
        ])
        console.show(format, json: json) {
            let parts = [("Active", active), ("Prepared", prepared), ("Old", old)].map { title, state in
                "\(title) \(kind.rawValue) authority:\n"
                    + (state.map { facts(kind, $0) } ?? "  No \(title.lowercased()) \(kind.rawValue) authority found\n")
            }
            console.out(parts.joined(separator: "\n"))
        }
    }

    /// What one verb did.
    static func show(
        _ console: Console, _ format: OutputFormat, _ kind: Kind, _ done: String, _ state: AuthorityStateMessage
    ) {
        console.show(format, json: .object(["\(done.lowercased())_authority": JSONNode(state)])) {
            console.out(block(done, kind, state))
        }
    }
}
