// SPDX-License-Identifier: Apache-2.0

package import APIProtos
package import Datastore
package import Groundwork
import Logging
package import RPC
import SPIFFE
package import SwiftProtobuf

/// `spire.api.server.trustdomain.v1.TrustDomain`: the relationships with foreign trust domains.
package struct TrustDomainService: APIService {
    package typealias Store = FederationStore & BundleReader

    let trustDomain: TrustDomain
    let store: any Store
    /// Told of bundles that come with relationships.
    let bundles: BundleCache
    let refresher: any BundleRefreshing
    /// Grows with every relationship that was written, so that whoever polls endpoints looks at once.
    let changes: Watch<UInt64>

    package init(
        store: any Store, bundles: BundleCache, refresher: any BundleRefreshing, changes: Watch<UInt64>
    ) {
        trustDomain = bundles.trustDomain
        self.store = store
        self.bundles = bundles
        self.refresher = refresher
        self.changes = changes
    }

    package func add(to table: inout ServiceTable) {
        table.serve(TrustDomainMethods.listFederationRelationships, list)
        table.serve(TrustDomainMethods.getFederationRelationship, get)
        table.serve(TrustDomainMethods.batchCreateFederationRelationship, batchCreate)
        table.serve(TrustDomainMethods.batchUpdateFederationRelationship, batchUpdate)
        table.serve(TrustDomainMethods.batchDeleteFederationRelationship, batchDelete)
        table.serve(TrustDomainMethods.refreshBundle, refresh)
    }

    /// Fetches one trust domain's bundle from its endpoint now.
    package func refresh(
        _ request: Spire_Api_Server_Trustdomain_V1_RefreshBundleRequest, _ call: Call
    ) async throws -> Google_Protobuf_Empty {
        call.audit([LogKey.trustDomain: "\(request.trustDomain)"])
        let named = try named(request.trustDomain)
        let isManaged: Bool
        do {
            isManaged = try await refresher.refreshBundle(of: named)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw APIFailure.internal("failed to refresh bundle", error)
        }
        guard isManaged else { throw APIFailure.notFound("no relationship with trust domain \"\(named)\"") }
        call.debug("Bundle refreshed", [LogKey.trustDomain: "\(named)"])
        return Google_Protobuf_Empty()
    }

    /// The trust domain a request names.
    func named(_ name: String) throws -> TrustDomain {
        do {
            return try TrustDomain(name)
        } catch {
            throw APIFailure.invalid("failed to parse trust domain", error)
        }
    }

    /// A relationship was written, and with it perhaps a bundle.
    func changed(_ relationship: FederationRelationship) {
        if let bundle = relationship.bundle { bundles.invalidate(bundle.trustDomainID) }
        changes.update { $0 += 1 }
    }

    /// Remarks on a relationship whose endpoint cannot be authenticated yet.
    func remarkOnMissingBundle(_ relationship: FederationRelationship, _ call: Call) async {
        guard case .httpsSPIFFE(let text) = relationship.profile, let id = try? SPIFFEID(text) else { return }
        do {
            guard try await store.bundle(trustDomainID: id.trustDomain.id.description) == nil else { return }
            call.logger.warning(
                "No bundle is stored for the trust domain of the endpoint's SPIFFE ID; its bundle cannot be fetched until there is one",
                metadata: ["endpoint_spiffe_id": "\(id)", LogKey.trustDomain: "\(relationship.trustDomain)"])
        } catch {
            call.logger.error(
                "Failed to check whether a bundle exists for the endpoint SPIFFE ID trust domain",
                metadata: [LogKey.error: "\(error)"])
        }
    }
}
