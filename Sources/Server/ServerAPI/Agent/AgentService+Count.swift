// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import SwiftProtobuf

extension AgentService {
    package func count(
        _ request: Spire_Api_Server_Agent_V1_CountAgentsRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Agent_V1_CountAgentsResponse {
        let fields = AgentMapping.Fields(request.filter)
        call.audit(fields.audit)
        let filter = try mapping.filter(fields)
        do {
            let count = try await store.countNodes(filter)
            return .with { $0.count = Int32(clamping: count) }
        } catch {
            throw APIFailure.internal("failed to count agents", error)
        }
    }
}
