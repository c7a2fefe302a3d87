// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Datastore
import FoundationEssentials
package import Groundwork
import Issuance
package import RPC
package import SPIFFE
import SwiftProtobuf
import Synchronization
package import X509

/// Why a caller is not an agent we serve. Sent as a status detail, by which agents decide what to do next.
package enum AgentRefusal: Error, Sendable, Hashable {
    case expired, notAttested, notActive, banned, mustReattest

    var reason: Spire_Api_Types_PermissionDeniedDetails.Reason {
        switch self {
        case .expired: .agentExpired
        case .notAttested: .agentNotAttested
        case .notActive: .agentNotActive
        case .banned: .agentBanned
        case .mustReattest: .agentMustReattest
        }
    }

    var logMessage: String {
        switch self {
        case .expired: "Agent SVID is expired"
        case .notAttested: "Agent is not attested"
        case .notActive: "Agent SVID is not active"
        case .banned: "Agent is banned"
        case .mustReattest: "Agent must reattest instead of renew"
        }
    }

    /// The status a call of such a caller ends with.
    func status(_ method: MethodPath) -> RPCStatus {
        RPCStatus(.permissionDenied, "authorization denied for method \(method)", details: [detail])
    }

    /// The `google.protobuf.Any` that goes with the status.
    package var detail: RPCStatus.Detail {
        let value = Spire_Api_Types_PermissionDeniedDetails.with { $0.reason = reason }
        return RPCStatus.Detail(
            typeURL: "type.googleapis.com/\(Spire_Api_Types_PermissionDeniedDetails.protoMessageName)",
            value: (try? value.serializedBytes()) ?? [])
    }
}

/// Decides whether a certificate is the one an attested agent is to use, and promotes a renewed one on first use.
package final class AgentCheck: Sendable {
    private struct Known {
        let node: AttestedNode
        let readAt: Duration
    }

    private let nodes: any NodeReader & NodeWriter
    private let time: any TimeSource
    private let staleness: Duration
    private let restoration: Restoration?
    private let known = Mutex<[String: Known]>([:])

    /// - Parameters:
    ///   - staleness: How old a read node may be and still vouch for its agent; zero reads it every time.
    ///   - restoration: The latest restore of the datastore, after which agents hold certificates it does not know.
    package init(
        nodes: any NodeReader & NodeWriter, time: any TimeSource, staleness: Duration = .zero,
        restoration: Restoration? = nil
    ) {
        self.nodes = nodes
        self.time = time
        self.staleness = staleness
        self.restoration = restoration
    }

    /// - Throws: `AgentRefusal` with the reason, `internal` when the datastore fails.
    package func check(id: SPIFFEID, leaf: Certificate) async throws {
        let serial = DecimalNumber.text(leaf.serialNumber.bytes)
        guard leaf.notValidAfter >= time.now else { throw AgentRefusal.expired }
        let key = id.description
        if staleness > .zero, let known = known.withLock({ $0[key] }), time.uptime - known.readAt < staleness,
            known.node.serialNumber == serial
        {
            return
        }
        let stored: AttestedNode?
        do {
            stored = try await nodes.node(id: key)
        } catch {
            throw APIFailure.internal("unable to look up agent information", error)
        }
        guard var node = stored else {
            forget(key)
            throw AgentRefusal.notAttested
        }
        if node.serialNumber.isEmpty {
            forget(key)
            throw AgentRefusal.banned
        }
        if node.serialNumber == serial {
            remember(node)
            return
        }
        if !node.newSerialNumber.isEmpty, node.newSerialNumber == serial {
            node.serialNumber = node.newSerialNumber
            node.expiresAt = node.newExpiresAt
        } else if wasForgotten(leaf, node) {
            node.serialNumber = serial
            node.expiresAt = Int64(leaf.notValidAfter.timeIntervalSince1970)
        } else {
            throw AgentRefusal.notActive
        }
        node.newSerialNumber = ""
        node.newExpiresAt = 0
        do {
            remember(
                try await nodes.updateNode(
                    node, fields: [.serialNumber, .expiresAt, .newSerialNumber, .newExpiresAt]))
        } catch {
            throw APIFailure.internal("unable to activate the new agent SVID", error)
        }
    }

    /// Whether the certificate is one the node got between a backup and its restore, so that our authority issued it
    /// and the datastore has forgotten it.
    ///
    /// A node only ever moves on to a certificate that ends later than those on record. So nobody can bring back one
    /// that was replaced before the backup or since the restore.
    private func wasForgotten(_ leaf: Certificate, _ node: AttestedNode) -> Bool {
        guard let restoration else { return false }
        let issuedAt = Int64(leaf.notValidBefore.timeIntervalSince1970) + X509CA.backdate
        return (restoration.takenAt...max(restoration.takenAt, restoration.restoredAt)).contains(issuedAt)
            && Int64(leaf.notValidAfter.timeIntervalSince1970) > max(node.expiresAt, node.newExpiresAt)
    }

    /// The same from what is stored now, however recently it was read.
    package func recheck(id: SPIFFEID, leaf: Certificate) async throws {
        forget(id.description)
        try await check(id: id, leaf: leaf)
    }

    private func remember(_ node: AttestedNode) {
        guard staleness > .zero else { return }
        let now = time.uptime
        known.withLock { known in
            if known.count >= 50_000 { known = known.filter { now - $0.value.readAt < staleness } }
            known[node.spiffeID] = Known(node: node, readAt: now)
        }
    }

    private func forget(_ id: String) {
        guard staleness > .zero else { return }
        known.withLock { _ = $0.removeValue(forKey: id) }
    }
}
