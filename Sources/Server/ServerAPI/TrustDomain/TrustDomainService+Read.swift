// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import SPIFFE

extension TrustDomainService {
    package func list(
        _ request: Spire_Api_Server_Trustdomain_V1_ListFederationRelationshipsRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Trustdomain_V1_ListFederationRelationshipsResponse {
        let page: Page<FederationRelationship>
        do {
            page = try await store.listFederationRelationships(
                page: PageRequest(size: request.pageSize, token: request.pageToken))
        } catch {
            throw APIFailure.internal("failed to list federation relationships", error)
        }
        let mask = request.hasOutputMask ? request.outputMask : nil
        var response = Spire_Api_Server_Trustdomain_V1_ListFederationRelationshipsResponse()
        do {
            response.federationRelationships = try page.items.map { try RelationshipMapping.proto($0, mask: mask) }
        } catch {
            // The status is the original's.
            throw APIFailure.invalid("failed to convert datastore response", error)
        }
        response.nextPageToken = page.nextToken
        return response
    }

    package func get(
        _ request: Spire_Api_Server_Trustdomain_V1_GetFederationRelationshipRequest, _ call: Call
    ) async throws -> Spire_Api_Types_FederationRelationship {
        call.audit([LogKey.trustDomain: "\(request.trustDomain)"])
        let named = try named(request.trustDomain)
        let stored: FederationRelationship?
        do {
            stored = try await store.federationRelationship(trustDomain: named.name)
        } catch {
            throw APIFailure.internal("failed to fetch federation relationship", error)
        }
        guard let stored else { throw APIFailure.notFound("federation relationship does not exist") }
        do {
            return try RelationshipMapping.proto(stored, mask: request.hasOutputMask ? request.outputMask : nil)
        } catch {
            throw APIFailure.internal("failed to convert datastore response", error)
        }
    }
}
