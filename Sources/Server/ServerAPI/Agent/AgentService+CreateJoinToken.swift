// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import Logging
import SPIFFE
import SwiftProtobuf

extension AgentService {
    /// Makes a join token and, if asked, the entry that gives the agent attesting with it a second name.
    package func createJoinToken(
        _ request: Spire_Api_Server_Agent_V1_CreateJoinTokenRequest, _ call: Call
    ) async throws -> Spire_Api_Types_JoinToken {
        call.audit([LogKey.ttlField: "\(request.ttl)"])
        guard request.ttl >= 1 else { throw APIFailure.invalid("ttl is required, you must provide one") }
        var alias: SPIFFEID?
        if request.hasAgentID {
            do {
                let id = try ids.workload(request.agentID)
                alias = id
                call.audit([LogKey.spiffeID: "\(id)"])
            } catch {
                throw APIFailure.invalid("invalid agent ID", error)
            }
        }
        let token = JoinToken(
            token: request.token.isEmpty ? random.uuid() : request.token,
            expiry: Int64(time.now.timeIntervalSince1970) + Int64(request.ttl))
        do {
            try await store.createJoinToken(token)
        } catch {
            throw APIFailure.internal("failed to create token", error)
        }
        if let alias { try await createAlias(alias, of: token.token) }
        return .with {
            $0.value = token.token
            $0.expiresAt = token.expiry
        }
    }

    private func createAlias(_ alias: SPIFFEID, of token: String) async throws {
        do {
            let parent = try SPIFFEID(ids.trustDomain, path: Self.joinTokenPath(token)).description
            var entry = RegistrationEntry()
            entry.parentID = parent
            entry.spiffeID = alias.description
            entry.selectors = [Selector(type: "spiffe_id", value: parent)]
            _ = try await store.createEntry(entry)
        } catch {
            throw APIFailure.internal("failed to create join token registration entry", error)
        }
    }

    static func joinTokenPath(_ token: String) -> String { "/spire/agent/join_token/\(token)" }
}

extension LogKey {
    static let ttlField = "ttl"
}
