// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Logging
import SPIFFE

/// From the server's messages to the agent's values. What breaks a rule is left out and logged, or refused.
enum Mapping {
    /// What the agent asks to be told about entries.
    static var entryMask: Spire_Api_Types_EntryMask {
        var mask = Spire_Api_Types_EntryMask()
        mask.spiffeID = true
        mask.selectors = true
        mask.federatesWith = true
        mask.admin = true
        mask.downstream = true
        mask.revisionNumber = true
        mask.storeSvid = true
        mask.hint = true
        mask.additionalAttributes = true
        mask.createdAt = true
        return mask
    }

    /// - Returns: the rule the entry breaks, or the entry.
    static func entry(_ message: Spire_Api_Types_Entry) -> Result<AgentEntry, BadEntry> {
        guard !message.id.isEmpty else { return .failure(BadEntry(reason: "missing entry ID")) }
        guard message.hasSpiffeID else { return .failure(BadEntry(reason: "missing SPIFFE ID")) }
        let id: SPIFFEID
        do {
            id = try SPIFFEID(try TrustDomain(message.spiffeID.trustDomain), path: message.spiffeID.path)
        } catch {
            return .failure(BadEntry(reason: "invalid SPIFFE ID: \(error.message)"))
        }
        var federated: Set<TrustDomain> = []
        for name in message.federatesWith {
            do {
                federated.insert(try TrustDomain(name))
            } catch {
                return .failure(BadEntry(reason: "invalid federated trust domain: \(error.message)"))
            }
        }
        guard !message.selectors.isEmpty else { return .failure(BadEntry(reason: "selector list is empty")) }
        var selectors: [Selector] = []
        selectors.reserveCapacity(message.selectors.count)
        for selector in message.selectors {
            guard !selector.type.isEmpty else { return .failure(BadEntry(reason: "missing selector type")) }
            guard !selector.type.utf8.contains(UInt8(ascii: ":")) else {
                return .failure(BadEntry(reason: "selector type contains ':'"))
            }
            guard !selector.value.isEmpty else { return .failure(BadEntry(reason: "missing selector value")) }
            selectors.append(Selector(type: selector.type, value: selector.value))
        }
        return .success(
            AgentEntry(
                id: message.id, spiffeID: id, selectors: SelectorSet(selectors),
                federatesWith: federated.sorted(), isAdmin: message.admin, isDownstream: message.downstream,
                revision: message.revisionNumber, storesSVID: message.storeSvid, hint: message.hint,
                createdAt: message.createdAt,
                skipsPrefetch: message.additionalAttributes.disableX509SvidPrefetch))
    }

    struct BadEntry: Error {
        let reason: String
    }

    static func entries(_ messages: [Spire_Api_Types_Entry], _ logger: Logger) -> [AgentEntry] {
        messages.compactMap { message in
            switch entry(message) {
            case .success(let entry): return entry
            case .failure(let bad):
                logger.warning(
                    "Received malformed entry from SPIRE server",
                    metadata: [LogKey.entryID: "\(message.id)", LogKey.error: "\(bad.reason)"])
                return nil
            }
        }
    }

    static func page(
        _ message: Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesResponse, _ logger: Logger
    ) -> EntrySync.Page {
        let revisions = message.entryRevisions.compactMap { revision -> EntrySync.Revision? in
            guard !revision.id.isEmpty else {
                logger.warning(
                    "Received malformed entry revision from SPIRE server", metadata: [LogKey.error: "missing ID"])
                return nil
            }
            return EntrySync.Revision(
                id: revision.id, number: revision.revisionNumber, createdAt: revision.createdAt)
        }
        return EntrySync.Page(
            revisions: revisions, entries: entries(message.entries, logger),
            counts: (message.entryRevisions.count, message.entries.count), more: message.more)
    }

    /// - Throws: `agent.server_answer`.
    static func bundle(_ message: Spire_Api_Types_Bundle) throws -> TrustBundle {
        let domain: TrustDomain
        do {
            domain = try TrustDomain(message.trustDomain)
        } catch {
            throw SpireError(.serverAnswer, "malformed bundle: invalid trust domain: \(error.message)")
        }
        return TrustBundle(
            trustDomain: domain,
            x509Authorities: message.x509Authorities.map { .init(der: Array($0.asn1), isTainted: $0.tainted) },
            jwtAuthorities: message.jwtAuthorities.map {
                .init(
                    keyID: $0.keyID, spki: Array($0.publicKey), expiresAt: $0.expiresAt, isTainted: $0.tainted)
            },
            refreshHintSeconds: message.refreshHint, sequenceNumber: message.sequenceNumber)
    }

    /// - Throws: `agent.server_answer`, with the original's texts.
    static func jwt(_ message: Spire_Api_Server_Svid_V1_NewJWTSVIDResponse) throws -> WorkloadJWT {
        guard message.hasSvid else { throw SpireError(.serverAnswer, "JWTSVID response missing SVID") }
        let svid = message.svid
        guard svid.issuedAt != 0 else { throw SpireError(.serverAnswer, "JWTSVID response missing issued at") }
        guard svid.expiresAt != 0 else { throw SpireError(.serverAnswer, "JWTSVID response missing expires at") }
        guard svid.issuedAt <= svid.expiresAt else {
            throw SpireError(.serverAnswer, "JWTSVID issued after it has expired")
        }
        return WorkloadJWT(
            token: svid.token, issuedAt: Date(timeIntervalSince1970: Double(svid.issuedAt)),
            expiresAt: Date(timeIntervalSince1970: Double(svid.expiresAt)))
    }
}
