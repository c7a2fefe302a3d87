// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Datastore
import Groundwork
import Logging
package import RPC
import SPIFFE

/// `spire.api.server.bundle.v1.Bundle`: the server's own bundle and those of federated trust domains.
package struct BundleService: APIService {
    let trustDomain: TrustDomain
    let store: any BundleReader & BundleWriter
    let cache: BundleCache

    /// - Parameter store: Writes must reach `cache`: hand in `WatchedBundles`.
    package init(store: any BundleReader & BundleWriter, cache: BundleCache) {
        trustDomain = cache.trustDomain
        self.store = store
        self.cache = cache
    }

    package func add(to table: inout ServiceTable) {
        table.serve(BundleMethods.countBundles, count)
        table.serve(BundleMethods.getBundle, get)
        table.serve(BundleMethods.appendBundle, append)
        table.serve(BundleMethods.publishJWTAuthority, publishJWTAuthority)
        table.serve(BundleMethods.publishWITAuthority) { _, _ in
            throw APIFailure(.unimplemented, "WIT-SVID functionality is not yet implemented")
        }
        table.serve(BundleMethods.listFederatedBundles, listFederated)
        table.serve(BundleMethods.getFederatedBundle, getFederated)
        table.serve(BundleMethods.batchCreateFederatedBundle, batchCreateFederated)
        table.serve(BundleMethods.batchUpdateFederatedBundle, batchUpdateFederated)
        table.serve(BundleMethods.batchSetFederatedBundle, batchSetFederated)
        table.serve(BundleMethods.batchDeleteFederatedBundle, batchDeleteFederated)
    }

    /// The foreign trust domain a request names. Naming the own one is refused with `ownRefusal`.
    func federated(_ name: String, ownRefusal: String) throws -> TrustDomain {
        let named: TrustDomain
        do {
            named = try TrustDomain(name)
        } catch {
            throw APIFailure.invalid("trust domain argument is not valid", error)
        }
        guard named != trustDomain else { throw APIFailure.invalid(ownRefusal) }
        return named
    }

    /// A bundle as the answer to a call.
    func answer(_ bundle: TrustBundle, _ mask: Spire_Api_Types_BundleMask?) throws -> Spire_Api_Types_Bundle {
        do {
            return try BundleMapping.proto(bundle, mask: mask)
        } catch {
            throw APIFailure.internal("failed to convert bundle", error)
        }
    }
}
