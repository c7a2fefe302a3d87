// SPDX-License-Identifier: Apache-2.0

/// The two places a key of a kind can be in. While one signs, the other is prepared.
package enum SlotLabel: String, Sendable, Hashable, CaseIterable {
    case a = "A"
    case b = "B"

    package var other: SlotLabel { self == .a ? .b : .a }
}

/// The kinds of authority a server holds, with the names the key manager knows their keys by.
package enum AuthorityKind: String, Sendable, Hashable {
    case x509 = "x509-CA"
    case jwt = "JWT-Signer"
    case wit = "WIT-Signer"

    /// As log lines call it.
    var title: String {
        switch self {
        case .x509: "X509 CA"
        case .jwt: "JWT key"
        case .wit: "WIT key"
        }
    }

    package func keyID(_ label: SlotLabel) -> String { "\(rawValue)-\(label.rawValue)" }
}

/// One authority of this server, as far as deciding about it needs.
package struct LocalAuthority: Sendable, Hashable {
    package enum Status: String, Sendable, Hashable {
        case prepared = "PREPARED"
        case active = "ACTIVE"
        case old = "OLD"
    }

    package let label: SlotLabel
    /// Lower-case hex of the subject key ID, or the key ID of a JWT or WIT key.
    package let id: String
    /// Unix seconds.
    package let issuedAt: Int64
    /// Unix seconds.
    package let notAfter: Int64
    /// Hex; empty for a self-signed authority and for keys.
    package let upstreamAuthorityID: String
    package var status: Status

    package init(
        label: SlotLabel, id: String, issuedAt: Int64, notAfter: Int64, upstreamAuthorityID: String = "",
        status: Status
    ) {
        self.label = label
        self.id = id
        self.issuedAt = issuedAt
        self.notAfter = notAfter
        self.upstreamAuthorityID = upstreamAuthorityID
        self.status = status
    }

    /// Lifetime in seconds.
    private var lifetime: Int64 { max(0, notAfter - issuedAt) }

    /// From when the next one is to be prepared: half of the lifetime before the end, 30 days at most.
    package var prepareNextAfter: Int64 { notAfter - min(lifetime / 2, 30 * 86_400) }

    /// From when the next one is to take over: a sixth of the lifetime before the end, 7 days at most.
    package var activateNextAfter: Int64 { notAfter - min(lifetime / 6, 7 * 86_400) }

    package var state: AuthorityState {
        AuthorityState(authorityID: id, expiresAt: notAfter, upstreamAuthoritySubjectKeyID: upstreamAuthorityID)
    }
}
