// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE
package import SwiftProtobuf

extension AgentService {
    /// Evicts an agent: it has to attest again, and may.
    package func delete(
        _ request: Spire_Api_Server_Agent_V1_DeleteAgentRequest, _ call: Call
    ) async throws -> Google_Protobuf_Empty {
        let id = try agentID(request.hasID ? request.id : nil)
        call.audit([LogKey.spiffeID: "\(id)"])
        do {
            try await store.deleteNode(id: id.description)
        } catch let error where APIFailure.code(of: error) == .notFound {
            throw APIFailure.notFound("agent not found")
        } catch {
            throw APIFailure.internal("failed to remove agent", error)
        }
        call.logger.info("Agent deleted", metadata: [LogKey.spiffeID: "\(id)"])
        return Google_Protobuf_Empty()
    }
}
