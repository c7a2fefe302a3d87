// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE

extension AgentService {
    static let longestAgentVersion = 255

    package func postStatus(
        _ request: Spire_Api_Server_Agent_V1_PostStatusRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Agent_V1_PostStatusResponse {
        let id = try call.requireID()
        call.audit([LogKey.spiffeID: "\(id)", "agent_version": "\(request.agentVersion)"])
        guard !request.agentVersion.isEmpty else { return .init() }
        guard request.agentVersion.utf8.count <= Self.longestAgentVersion else {
            throw APIFailure.invalid("agent version is too long (max \(Self.longestAgentVersion) characters)")
        }
        var node = AttestedNode(spiffeID: id.description, attestationType: "", serialNumber: "", expiresAt: 0)
        node.agentVersion = request.agentVersion
        do {
            try await store.updateNode(node, fields: .agentVersion)
        } catch let error where APIFailure.code(of: error) == .notFound {
            throw APIFailure.notFound("agent not found")
        } catch {
            throw APIFailure.internal("failed to update agent", error)
        }
        call.debug(
            "Agent status updated", [LogKey.spiffeID: "\(id)", "agent_version": "\(request.agentVersion)"])
        return .init()
    }
}
