// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Authority
import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

extension AgentService {
    /// Signs the next certificate of an agent that cannot attest again. It counts from its first use on; until then the
    /// present one stays valid, so that an answer lost on the way locks nobody out.
    package func renew(
        _ request: Spire_Api_Server_Agent_V1_RenewAgentRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Agent_V1_RenewAgentResponse {
        let id = try call.requireID()
        let stored: AttestedNode?
        do {
            stored = try await store.node(id: id.description)
        } catch {
            throw APIFailure.internal("failed to fetch agent", error)
        }
        guard let node = stored else { throw APIFailure.notFound("agent not found") }
        if node.canReattest {
            var failure = APIFailure(.permissionDenied, "agent must reattest instead of renew")
            failure.details = [AgentRefusal.mustReattest.detail]
            throw failure
        }
        guard request.hasParams else { throw APIFailure.invalid("params cannot be nil") }
        guard !request.params.csr.isEmpty else { throw APIFailure.invalid("missing CSR") }
        let der = [UInt8](request.params.csr)
        call.audit(["csr": "\(sha256Hex(der))"])
        let svid = try await sign(id, csr: der)
        call.audit([:], more: [LogKey.serialNumber: "\(svid.serialNumber)"])
        var renewed = node
        renewed.newSerialNumber = svid.serialNumber
        renewed.newExpiresAt = Int64(svid.expiresAt.timeIntervalSince1970)
        do {
            try await store.updateNode(renewed, fields: [.newSerialNumber, .newExpiresAt])
        } catch {
            throw APIFailure.internal("failed to update agent", error)
        }
        call.logger.info(
            "Agent SVID renewed",
            metadata: [
                LogKey.spiffeID: "\(id)", LogKey.serialNumber: "\(svid.serialNumber)",
                LogKey.expiration: "\(rfc3339(svid.expiresAt))",
            ])
        return .with { $0.svid = X509SVIDMapping.proto(svid, ids) }
    }

    /// Signs an agent's certificate for the key of a CSR.
    func sign(_ id: SPIFFEID, csr der: [UInt8]) async throws -> IssuedX509SVID {
        let csr: CSR
        do {
            csr = try CSR.parse(der)
        } catch {
            throw APIFailure.invalid("failed to parse CSR", error)
        }
        do {
            return try await issuer.agentX509SVID(id: id, publicKey: csr.publicKey)
        } catch {
            throw APIFailure.internal("failed to sign X509 SVID", error)
        }
    }
}
