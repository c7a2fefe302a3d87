// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

extension BundleService {
    package typealias DeleteRequest = Spire_Api_Server_Bundle_V1_BatchDeleteFederatedBundleRequest
    package typealias DeleteResponse = Spire_Api_Server_Bundle_V1_BatchDeleteFederatedBundleResponse

    package func batchDeleteFederated(_ request: DeleteRequest, _ call: Call) async throws -> DeleteResponse {
        let mode: BundleDeletion
        switch request.mode {
        case .restrict: mode = .restrict
        case .delete: mode = .delete
        case .dissociate: mode = .dissociate
        case .UNRECOGNIZED(let value):
            throw APIFailure.invalid("failed to parse deletion mode", cause: "unhandled delete mode \"\(value)\"")
        }
        var response = DeleteResponse()
        for name in request.trustDomains { response.results.append(await delete(name, mode, request.mode, call)) }
        return response
    }

    private func delete(
        _ name: String, _ mode: BundleDeletion, _ asked: DeleteRequest.Mode, _ call: Call
    ) async -> DeleteResponse.Result {
        let audit: Logger.Metadata = [LogKey.trustDomain: "\(name)", "mode": "\(asked)"]
        do {
            let named = try federated(
                name, ownRefusal: "removing the bundle for the server trust domain is not allowed")
            do {
                try await store.deleteBundle(trustDomainID: named.id.description, mode: mode)
            } catch let error where APIFailure.code(of: error) == .notFound {
                throw APIFailure.notFound("bundle not found")
            } catch {
                throw APIFailure.datastore("failed to delete federated bundle", error)
            }
            call.auditItem(nil, audit)
            return .with {
                $0.status = .ok
                $0.trustDomain = name
            }
        } catch {
            let status = call.report(error, fields: [LogKey.trustDomain: "\(name)"])
            call.auditItem(status, audit)
            return .with {
                $0.status = Spire_Api_Types_Status(status)
                $0.trustDomain = name
            }
        }
    }
}

extension TrustBundle {
    /// The bundle as the audit log shows it.
    var audit: Logger.Metadata {
        var fields: Logger.Metadata = [
            LogKey.trustDomain: "\(trustDomainID)", "refresh_hint": "\(refreshHint)",
            "sequence_number": "\(sequenceNumber)",
        ]
        for (index, key) in jwtAuthorities.enumerated() {
            fields["jwt_authority_expires_at.\(index)"] = "\(key.expiresAt)"
            fields["jwt_authority_key_id.\(index)"] = "\(key.keyID)"
            fields["jwt_authority_public_key_sha256.\(index)"] = "\(sha256Hex(key.publicKey))"
        }
        for (index, authority) in x509Authorities.enumerated() {
            fields["x509_authorities_asn1_sha256.\(index)"] = "\(sha256Hex(authority.der))"
        }
        return fields
    }
}
