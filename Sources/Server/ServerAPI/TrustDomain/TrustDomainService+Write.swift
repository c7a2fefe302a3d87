// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE
import SwiftProtobuf

extension TrustDomainService {
    package typealias CreateRequest = Spire_Api_Server_Trustdomain_V1_BatchCreateFederationRelationshipRequest
    package typealias CreateResponse = Spire_Api_Server_Trustdomain_V1_BatchCreateFederationRelationshipResponse
    package typealias UpdateRequest = Spire_Api_Server_Trustdomain_V1_BatchUpdateFederationRelationshipRequest
    package typealias UpdateResponse = Spire_Api_Server_Trustdomain_V1_BatchUpdateFederationRelationshipResponse
    package typealias DeleteRequest = Spire_Api_Server_Trustdomain_V1_BatchDeleteFederationRelationshipRequest
    package typealias DeleteResponse = Spire_Api_Server_Trustdomain_V1_BatchDeleteFederationRelationshipResponse

    package func batchCreate(_ request: CreateRequest, _ call: Call) async throws -> CreateResponse {
        let mask = request.hasOutputMask ? request.outputMask : nil
        var response = CreateResponse()
        for proto in request.federationRelationships {
            let (status, stored) = await write(proto, nil, mask, call, "created") { relationship in
                guard relationship.trustDomain != trustDomain.name else {
                    throw APIFailure.invalid("unable to create federation relationship for server trust domain")
                }
                do {
                    return try await store.createFederationRelationship(relationship)
                } catch {
                    throw APIFailure.internal("failed to create federation relationship", error)
                }
            }
            response.results.append(
                .with {
                    $0.status = status
                    if let stored { $0.federationRelationship = stored }
                })
        }
        return response
    }

    package func batchUpdate(_ request: UpdateRequest, _ call: Call) async throws -> UpdateResponse {
        let input = request.hasInputMask ? request.inputMask : nil
        let mask = request.hasOutputMask ? request.outputMask : nil
        let fields = RelationshipMapping.fields(input)
        var response = UpdateResponse()
        for proto in request.federationRelationships {
            let (status, stored) = await write(proto, input, mask, call, "updated") { relationship in
                do {
                    return try await store.updateFederationRelationship(relationship, fields: fields)
                } catch {
                    throw APIFailure.internal("failed to update federation relationship", error)
                }
            }
            response.results.append(
                .with {
                    $0.status = status
                    if let stored { $0.federationRelationship = stored }
                })
        }
        return response
    }

    private func write(
        _ proto: Spire_Api_Types_FederationRelationship, _ input: Spire_Api_Types_FederationRelationshipMask?,
        _ mask: Spire_Api_Types_FederationRelationshipMask?, _ call: Call, _ done: String,
        _ store: (FederationRelationship) async throws -> FederationRelationship
    ) async -> (Spire_Api_Types_Status, Spire_Api_Types_FederationRelationship?) {
        do {
            let relationship: FederationRelationship
            do {
                relationship = try RelationshipMapping.model(proto, mask: input)
            } catch {
                throw APIFailure.invalid("failed to convert federation relationship", error)
            }
            let stored = try await store(relationship)
            changed(relationship)
            await remarkOnMissingBundle(stored, call)
            let answer: Spire_Api_Types_FederationRelationship
            do {
                answer = try RelationshipMapping.proto(stored, mask: mask)
            } catch {
                throw APIFailure.internal("failed to convert datastore response", error)
            }
            call.debug("Federation relationship \(done)", [LogKey.trustDomain: "\(stored.trustDomain)"])
            call.auditItem(nil, RelationshipMapping.audit(proto, mask: input))
            return (.ok, answer)
        } catch {
            let status = call.report(error, fields: [LogKey.trustDomain: "\(proto.trustDomain)"])
            call.auditItem(status, RelationshipMapping.audit(proto, mask: input))
            return (Spire_Api_Types_Status(status), nil)
        }
    }

    package func batchDelete(_ request: DeleteRequest, _ call: Call) async throws -> DeleteResponse {
        var response = DeleteResponse()
        for name in request.trustDomains { response.results.append(await delete(name, call)) }
        return response
    }

    private func delete(_ name: String, _ call: Call) async -> DeleteResponse.Result {
        do {
            guard !name.isEmpty else { throw APIFailure.invalid("missing trust domain") }
            let named = try named(name)
            do {
                try await store.deleteFederationRelationship(trustDomain: named.name)
            } catch let error where APIFailure.code(of: error) == .notFound {
                throw APIFailure.notFound("federation relationship not found")
            } catch {
                throw APIFailure.internal("failed to delete federation relationship", error)
            }
            changes.update { $0 += 1 }
            call.debug("Federation relationship deleted", [LogKey.trustDomain: "\(named)"])
            call.auditItem(nil, [LogKey.trustDomain: "\(name)"])
            return .with {
                $0.status = .ok
                $0.trustDomain = named.name
            }
        } catch {
            let status = call.report(error, fields: [LogKey.trustDomain: "\(name)"])
            call.auditItem(status, [LogKey.trustDomain: "\(name)"])
            return .with {
                $0.status = Spire_Api_Types_Status(status)
                $0.trustDomain = name
            }
        }
    }
}
