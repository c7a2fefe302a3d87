// SPDX-License-Identifier: Apache-2.0

package import Issuance
package import SPIFFE

/// What an operator may choose about keeping identities.
package struct KeeperSettings: Sendable {
    package var trustDomain: TrustDomain
    package var syncInterval: Duration = .seconds(5)
    /// Whether the server is asked to tell changes by itself; servers that cannot are polled.
    package var usesPush = true
    package var workloadKeyType: KeyType = .ecP256
    package var availabilityTarget: Duration?
    /// Soft.
    package var x509CacheLimit = 1000
    /// Hard.
    package var jwtCacheLimit = 1000
    /// How long a caller waits for a new token when an older one would do.
    package var jwtCacheHitTimeout: Duration = .seconds(30)
    package var rebootstrap = Rebootstrap()
    /// Reported to the server.
    package var version = ""

    package init(trustDomain: TrustDomain) { self.trustDomain = trustDomain }
}
