// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE
package import SwiftProtobuf

extension AgentService {
    /// Bans an agent: neither its certificate nor a new attestation is accepted until it is deleted.
    package func ban(
        _ request: Spire_Api_Server_Agent_V1_BanAgentRequest, _ call: Call
    ) async throws -> Google_Protobuf_Empty {
        let id = try agentID(request.hasID ? request.id : nil)
        call.audit([LogKey.spiffeID: "\(id)"])
        let banned = AttestedNode(spiffeID: id.description, attestationType: "", serialNumber: "", expiresAt: 0)
        do {
            try await store.updateNode(banned, fields: [.serialNumber, .newSerialNumber])
        } catch let error where APIFailure.code(of: error) == .notFound {
            throw APIFailure.notFound("agent not found")
        } catch {
            throw APIFailure.internal("failed to ban agent", error)
        }
        call.logger.info("Agent banned", metadata: [LogKey.spiffeID: "\(id)"])
        return Google_Protobuf_Empty()
    }
}
