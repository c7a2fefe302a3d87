// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE

extension AgentService {
    package func get(
        _ request: Spire_Api_Server_Agent_V1_GetAgentRequest, _ call: Call
    ) async throws -> Spire_Api_Types_Agent {
        let id = try agentID(request.hasID ? request.id : nil)
        call.audit([LogKey.spiffeID: "\(id)"])
        let mask = request.hasOutputMask ? request.outputMask : nil
        let stored: AttestedNode?
        do {
            stored = try await store.node(id: id.description)
        } catch {
            throw APIFailure.internal("failed to fetch agent", error)
        }
        guard var node = stored else { throw APIFailure.notFound("agent not found") }
        if mask?.selectors ?? true {
            do {
                node.selectors = try await store.nodeSelectors(id: node.spiffeID)
            } catch {
                throw APIFailure.internal("failed to get selectors from agent", error)
            }
        }
        guard let agent = mapping.proto(node, mask: mask) else {
            throw APIFailure(.internal, "failed to convert attested node to agent")
        }
        return agent
    }
}
