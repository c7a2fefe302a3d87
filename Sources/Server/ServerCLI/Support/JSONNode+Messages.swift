// SPDX-License-Identifier: Apache-2.0

import APIProtos
import CLISupport
import FoundationEssentials

// The messages as protobuf's JSON with every field present, which the original prints.

extension JSONNode {
    init(_ id: Spire_Api_Types_SPIFFEID) {
        self = .object(["trust_domain": .string(id.trustDomain), "path": .string(id.path)])
    }

    init(_ selector: Spire_Api_Types_Selector) {
        self = .object(["type": .string(selector.type), "value": .string(selector.value)])
    }

    init(_ status: Spire_Api_Types_Status) {
        self = .object(["code": .int(status.code), "message": .string(status.message)])
    }

    init(_ entry: Spire_Api_Types_Entry) {
        self = .object([
            "id": .string(entry.id),
            "spiffe_id": entry.hasSpiffeID ? JSONNode(entry.spiffeID) : .null,
            "parent_id": entry.hasParentID ? JSONNode(entry.parentID) : .null,
            "selectors": .array(entry.selectors.map { JSONNode($0) }),
            "x509_svid_ttl": .int(entry.x509SvidTtl),
            "federates_with": .strings(entry.federatesWith),
            "admin": .bool(entry.admin),
            "downstream": .bool(entry.downstream),
            "expires_at": .int64(entry.expiresAt),
            "dns_names": .strings(entry.dnsNames),
            "revision_number": .int64(entry.revisionNumber),
            "store_svid": .bool(entry.storeSvid),
            "jwt_svid_ttl": .int(entry.jwtSvidTtl),
            "hint": .string(entry.hint),
            "created_at": .int64(entry.createdAt),
            "additional_attributes": entry.hasAdditionalAttributes
                ? .object([
                    "disable_x509_svid_prefetch": .bool(entry.additionalAttributes.disableX509SvidPrefetch),
                    "jwt_svid_include_jti": .bool(entry.additionalAttributes.jwtSvidIncludeJti),
                ]) : .null,
        ])
    }

    init(_ agent: Spire_Api_Types_Agent) {
        self = .object([
            "id": agent.hasID ? JSONNode(agent.id) : .null,
            "attestation_type": .string(agent.attestationType),
            "x509svid_serial_number": .string(agent.x509SvidSerialNumber),
            "x509svid_expires_at": .int64(agent.x509SvidExpiresAt),
            "selectors": .array(agent.selectors.map { JSONNode($0) }),
            "banned": .bool(agent.banned),
            "can_reattest": .bool(agent.canReattest),
            "agent_version": .string(agent.agentVersion),
        ])
    }

    init(_ bundle: Spire_Api_Types_Bundle) {
        self = .object([
            "trust_domain": .string(bundle.trustDomain),
            "x509_authorities": .array(
                bundle.x509Authorities.map { .object(["asn1": .bytes($0.asn1), "tainted": .bool($0.tainted)]) }),
            "jwt_authorities": .array(
                bundle.jwtAuthorities.map {
                    .object([
                        "public_key": .bytes($0.publicKey), "key_id": .string($0.keyID),
                        "expires_at": .int64($0.expiresAt), "tainted": .bool($0.tainted),
                    ])
                }),
            "refresh_hint": .int64(bundle.refreshHint),
            "sequence_number": .int64(bundle.sequenceNumber),
            "wit_authorities": .array(
                bundle.witAuthorities.map {
                    .object([
                        "public_key": .bytes($0.publicKey), "key_id": .string($0.keyID),
                        "expires_at": .int64($0.expiresAt), "tainted": .bool($0.tainted),
                    ])
                }),
        ])
    }

    /// As Go's own encoder writes the message: numbers as numbers, nothing empty, fields in their order.
    init(_ svid: Spire_Api_Types_WITSVID) {
        var members: [Member] = []
        if !svid.token.isEmpty { members.append(.init("token", .string(svid.token))) }
        if svid.hasID {
            var id: [Member] = []
            if !svid.id.trustDomain.isEmpty { id.append(.init("trust_domain", .string(svid.id.trustDomain))) }
            if !svid.id.path.isEmpty { id.append(.init("path", .string(svid.id.path))) }
            members.append(.init("id", .record(id)))
        }
        if svid.expiresAt != 0 { members.append(.init("expires_at", .int(svid.expiresAt))) }
        if svid.issuedAt != 0 { members.append(.init("issued_at", .int(svid.issuedAt))) }
        if !svid.hint.isEmpty { members.append(.init("hint", .string(svid.hint))) }
        self = .record(members)
    }

    init(_ svid: Spire_Api_Types_JWTSVID) {
        self = .object([
            "token": .string(svid.token),
            "id": svid.hasID ? JSONNode(svid.id) : .null,
            "expires_at": .int64(svid.expiresAt),
            "issued_at": .int64(svid.issuedAt),
            "hint": .string(svid.hint),
        ])
    }
}
