// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import EntryIndex
import Groundwork
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

extension SVIDService {
    /// Signs a token for an operator.
    package func mintJWT(
        _ request: Spire_Api_Server_Svid_V1_MintJWTSVIDRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Svid_V1_MintJWTSVIDResponse {
        try requireJWT()
        call.audit([
            LogKey.ttlField: "\(request.ttl)", LogKey.audience: "\(request.audience.joined(separator: ","))",
        ])
        let id = try await subject(request.hasID ? request.id : nil, call)
        let svid = try await jwtSVID(id, audience: request.audience, ttl: request.ttl, jti: false, call)
        return .with { $0.svid = svid }
    }

    /// Signs a token of an entry for the agent that is authorized for it.
    package func newJWT(
        _ request: Spire_Api_Server_Svid_V1_NewJWTSVIDRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Svid_V1_NewJWTSVIDResponse {
        try requireJWT()
        call.audit([
            LogKey.entryID: "\(request.entryID)", LogKey.audience: "\(request.audience.joined(separator: ","))",
        ])
        guard !request.audience.isEmpty else { throw APIFailure.invalid("at least one audience is required") }
        let entry = try await entries([request.entryID], of: call)[request.entryID]
        guard let entry else { throw APIFailure.notFound("entry not found or not authorized") }
        guard let id = try? SPIFFEID(entry.spiffeID) else {
            throw APIFailure(.internal, "entry has malformed SPIFFE ID")
        }
        call.audit([LogKey.ttlField: "\(entry.jwtSVIDTTL)", LogKey.spiffeID: "\(id)"])
        let svid = try await jwtSVID(
            id, audience: request.audience, ttl: entry.jwtSVIDTTL,
            jti: entry.additionalAttributes?.jwtSVIDIncludeJTI ?? false, call)
        return .with { $0.svid = svid }
    }

    /// Those of the entries the calling agent is authorized for.
    func entries(_ entryIDs: Set<String>, of call: Call) async throws -> [String: RegistrationEntry] {
        let agent = try call.requireID()
        do {
            return try await authorized.authorizedEntries(agentID: agent.description, ids: entryIDs)
        } catch {
            throw APIFailure.internal("failed to fetch registration entries", error)
        }
    }
}
