// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

extension BundleService {
    package func batchCreateFederated(
        _ request: Spire_Api_Server_Bundle_V1_BatchCreateFederatedBundleRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Bundle_V1_BatchCreateFederatedBundleResponse {
        let mask = request.hasOutputMask ? request.outputMask : nil
        let verb = Verb(
            ownRefusal: "creating a federated bundle for the server's own trust domain is not allowed",
            missing: nil, taken: "bundle already exists", failed: "unable to create bundle")
        var response = Spire_Api_Server_Bundle_V1_BatchCreateFederatedBundleResponse()
        for bundle in request.bundle {
            let (status, stored) = await write(bundle, mask, verb, call) { try await store.createBundle($0) }
            response.results.append(
                .with {
                    $0.status = status
                    if let stored { $0.bundle = stored }
                })
        }
        return response
    }

    package func batchUpdateFederated(
        _ request: Spire_Api_Server_Bundle_V1_BatchUpdateFederatedBundleRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Bundle_V1_BatchUpdateFederatedBundleResponse {
        let mask = request.hasOutputMask ? request.outputMask : nil
        let fields = BundleMapping.fields(request.hasInputMask ? request.inputMask : nil)
        let verb = Verb(
            ownRefusal: "updating a federated bundle for the server's own trust domain is not allowed",
            missing: "bundle not found", taken: nil, failed: "failed to update bundle")
        var response = Spire_Api_Server_Bundle_V1_BatchUpdateFederatedBundleResponse()
        for bundle in request.bundle {
            let (status, stored) = await write(bundle, mask, verb, call) {
                try await store.updateBundle($0, fields: fields)
            }
            response.results.append(
                .with {
                    $0.status = status
                    if let stored { $0.bundle = stored }
                })
        }
        return response
    }

    package func batchSetFederated(
        _ request: Spire_Api_Server_Bundle_V1_BatchSetFederatedBundleRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Bundle_V1_BatchSetFederatedBundleResponse {
        let mask = request.hasOutputMask ? request.outputMask : nil
        let verb = Verb(
            ownRefusal: "setting a federated bundle for the server's own trust domain is not allowed",
            missing: nil, taken: nil, failed: "failed to set bundle")
        var response = Spire_Api_Server_Bundle_V1_BatchSetFederatedBundleResponse()
        for bundle in request.bundle {
            let (status, stored) = await write(bundle, mask, verb, call) { try await store.setBundle($0) }
            response.results.append(
                .with {
                    $0.status = status
                    if let stored { $0.bundle = stored }
                })
        }
        return response
    }

    /// The texts in which the ways of writing a bundle differ.
    private struct Verb {
        let ownRefusal: String
        let missing: String?
        let taken: String?
        let failed: String
    }

    private func write(
        _ proto: Spire_Api_Types_Bundle, _ mask: Spire_Api_Types_BundleMask?, _ verb: Verb, _ call: Call,
        _ store: (TrustBundle) async throws -> TrustBundle
    ) async -> (Spire_Api_Types_Status, Spire_Api_Types_Bundle?) {
        var audit: Logger.Metadata = [LogKey.trustDomain: "\(proto.trustDomain)"]
        do {
            _ = try federated(proto.trustDomain, ownRefusal: verb.ownRefusal)
            let bundle: TrustBundle
            do {
                bundle = try BundleMapping.model(proto)
            } catch {
                throw APIFailure.invalid("failed to convert bundle", error)
            }
            if call.isAudited { audit.merge(bundle.audit) { $1 } }
            let stored: TrustBundle
            do {
                stored = try await store(bundle)
            } catch {
                switch (APIFailure.code(of: error), verb.missing, verb.taken) {
                case (.notFound, let missing?, _): throw APIFailure.notFound(missing)
                case (.alreadyExists, _, let taken?): throw APIFailure(.alreadyExists, taken)
                default: throw APIFailure.internal(verb.failed, error)
                }
            }
            let answer = try answer(stored, mask)
            call.auditItem(nil, audit)
            return (.ok, answer)
        } catch {
            let status = call.report(error, fields: [LogKey.trustDomain: "\(proto.trustDomain)"])
            call.auditItem(status, audit)
            return (Spire_Api_Types_Status(status), nil)
        }
    }
}
