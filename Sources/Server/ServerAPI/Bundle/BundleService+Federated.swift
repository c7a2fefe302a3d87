// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import SPIFFE

extension BundleService {
    /// Bundles of other trust domains. The own one is left out after the page was cut, so a page may be short.
    package func listFederated(
        _ request: Spire_Api_Server_Bundle_V1_ListFederatedBundlesRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Bundle_V1_ListFederatedBundlesResponse {
        let page: Page<TrustBundle>
        do {
            page = try await store.listBundles(page: PageRequest(size: request.pageSize, token: request.pageToken))
        } catch {
            throw APIFailure.internal("failed to list bundles", error)
        }
        let mask = request.hasOutputMask ? request.outputMask : nil
        let own = trustDomain.id.description
        var response = Spire_Api_Server_Bundle_V1_ListFederatedBundlesResponse()
        response.bundles = try page.items.filter { $0.trustDomainID != own }.map { try answer($0, mask) }
        response.nextPageToken = page.nextToken
        return response
    }

    package func getFederated(
        _ request: Spire_Api_Server_Bundle_V1_GetFederatedBundleRequest, _ call: Call
    ) async throws -> Spire_Api_Types_Bundle {
        call.audit([LogKey.trustDomain: "\(request.trustDomain)"])
        let named = try federated(
            request.trustDomain,
            ownRefusal: "getting a federated bundle for the server's own trust domain is not allowed")
        let stored: TrustBundle?
        do {
            stored = try await store.bundle(trustDomainID: named.id.description)
        } catch {
            throw APIFailure.internal("failed to fetch bundle", error)
        }
        guard let stored else { throw APIFailure.notFound("bundle not found") }
        return try answer(stored, request.hasOutputMask ? request.outputMask : nil)
    }
}
