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

extension SVIDService {
    package typealias WITBatchResponse = Spire_Api_Server_Svid_V1_BatchNewWITSVIDResponse
    typealias WITParams = Spire_Api_Server_Svid_V1_NewWITSVIDParams

    /// Signs a token that is bound to a key, for an operator.
    package func mintWIT(
        _ request: Spire_Api_Server_Svid_V1_MintWITSVIDRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Svid_V1_MintWITSVIDResponse {
        guard witEnabled else { throw APIFailure(.unimplemented, "WIT functionality is disabled") }
        call.audit([LogKey.ttlField: "\(request.ttl)"])
        let id = try await subject(request.hasID ? request.id : nil, call)
        let key = try Self.key(request.publicKey, request.signingAlgorithm, malformed: "invalid public key")
        let svid: IssuedToken
        do {
            svid = try await issuer.witSVID(id: id, key: key, ttl: request.ttl)
        } catch {
            throw APIFailure.internal("failed to sign WIT-SVID", error)
        }
        call.debug(
            "Server CA successfully signed WIT-SVID",
            [LogKey.spiffeID: "\(id)", LogKey.expiration: "\(rfc3339(svid.expiresAt))"])
        return .with { $0.svid = X509SVIDMapping.wit(svid, ids) }
    }

    /// Signs tokens of entries, each bound to a key, for the agent that is authorized for them.
    ///
    /// Where WIT-SVIDs are not switched on there is no key to sign with, which each item says, as in the original.
    package func batchNewWIT(
        _ request: Spire_Api_Server_Svid_V1_BatchNewWITSVIDRequest, _ call: Call
    ) async throws -> WITBatchResponse {
        guard !request.params.isEmpty else { throw APIFailure.invalid("missing parameters") }
        try await call.limit(cost: request.params.count)
        let entries = try await entries(Set(request.params.lazy.map(\.entryID)), of: call)
        var response = WITBatchResponse()
        response.results.reserveCapacity(request.params.count)
        for params in request.params {
            try Task.checkCancellation()
            response.results.append(await sign(params, entries, call))
        }
        return response
    }

    private func sign(
        _ params: WITParams, _ entries: [String: RegistrationEntry], _ call: Call
    ) async -> WITBatchResponse.Result {
        do {
            let svid = try await signed(params, entries)
            call.auditItem(
                nil,
                [
                    LogKey.entryID: "\(params.entryID)", LogKey.spiffeID: "\(svid.id)",
                    LogKey.expiresAt: "\(Int64(svid.expiresAt.timeIntervalSince1970))",
                ])
            // A success carries no status, as in the original.
            return .with { $0.svid = X509SVIDMapping.wit(svid, ids) }
        } catch {
            let status = call.report(error, fields: [LogKey.entryID: "\(params.entryID)"])
            call.auditItem(status, [LogKey.entryID: "\(params.entryID)"])
            return .with { $0.status = Spire_Api_Types_Status(status) }
        }
    }

    private func signed(_ params: WITParams, _ entries: [String: RegistrationEntry]) async throws -> IssuedToken {
        guard !params.entryID.isEmpty else { throw APIFailure.invalid("missing entry ID") }
        guard !params.publicKey.isEmpty else { throw APIFailure.invalid("missing public key") }
        guard let entry = entries[params.entryID] else {
            throw APIFailure.notFound("entry not found or not authorized")
        }
        let key = try Self.key(params.publicKey, params.signingAlgorithm, malformed: "malformed public key")
        guard let id = try? SPIFFEID(entry.spiffeID) else {
            throw APIFailure(.internal, "entry has malformed SPIFFE ID")
        }
        do {
            return try await issuer.witSVID(id: id, key: key, ttl: entry.x509SVIDTTL)
        } catch {
            throw APIFailure.internal("failed to sign WIT-SVID", error)
        }
    }

    private static func key(_ spki: Data, _ algorithm: String, malformed: String) throws -> ConfirmationKey {
        let key: SubjectPublicKey
        do {
            key = try SubjectPublicKey(spki: [UInt8](spki))
        } catch {
            throw APIFailure.invalid(malformed, error)
        }
        do {
            return try ConfirmationKey(key, algorithm: algorithm)
        } catch {
            throw APIFailure.invalid("invalid signing algorithm or key type", error)
        }
    }
}
