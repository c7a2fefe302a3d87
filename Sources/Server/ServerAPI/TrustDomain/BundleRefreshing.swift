// SPDX-License-Identifier: Apache-2.0

package import SPIFFE

/// Fetches the bundle of a foreign trust domain now, out of turn.
package protocol BundleRefreshing: Sendable {
    /// - Returns: `false` when there is no relationship with the trust domain.
    /// - Throws: why its endpoint gave no bundle, or why the bundle could not be stored.
    func refreshBundle(of trustDomain: TrustDomain) async throws -> Bool
}
