// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging

extension AgentService {
    package func list(
        _ request: Spire_Api_Server_Agent_V1_ListAgentsRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Agent_V1_ListAgentsResponse {
        let fields = AgentMapping.Fields(request.filter)
        call.audit(fields.audit)
        let filter = try mapping.filter(fields)
        let mask = request.hasOutputMask ? request.outputMask : nil
        let page: Page<AttestedNode>
        do {
            page = try await store.listNodes(
                filter, page: PageRequest(size: request.pageSize, token: request.pageToken),
                withSelectors: mask?.selectors ?? true)
        } catch {
            throw APIFailure.internal("failed to list agents", error)
        }
        var response = Spire_Api_Server_Agent_V1_ListAgentsResponse()
        response.nextPageToken = page.nextToken
        response.agents.reserveCapacity(page.items.count)
        for node in page.items {
            guard let agent = mapping.proto(node, mask: mask) else {
                call.logger.warning(
                    "Failed to parse agent", metadata: [LogKey.spiffeID: "\(node.spiffeID)"])
                continue
            }
            response.agents.append(agent)
        }
        return response
    }
}

extension AgentMapping.Fields {
    /// The filter as the audit log shows it.
    var audit: Logger.Metadata {
        var fields: Logger.Metadata = [:]
        if !attestationType.isEmpty { fields[LogKey.attestor] = "\(attestationType)" }
        if let banned { fields["by_banned"] = "\(banned)" }
        if let canReattest { fields["by_can_reattest"] = "\(canReattest)" }
        if !expiresBefore.isEmpty { fields["by_expires_before"] = "\(expiresBefore)" }
        if let selectors {
            fields["by_selectors"] = "\(SelectorMapping.text(selectors.selectors))"
            fields["by_selector_match"] = "\(selectors.match.auditText)"
        }
        return fields
    }
}

extension Spire_Api_Types_SelectorMatch.MatchBehavior {
    var auditText: String {
        switch self {
        case .matchExact: "MATCH_EXACT"
        case .matchSubset: "MATCH_SUBSET"
        case .matchSuperset: "MATCH_SUPERSET"
        case .matchAny: "MATCH_ANY"
        case .UNRECOGNIZED(let value): "\(value)"
        }
    }
}
