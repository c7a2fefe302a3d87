// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Datastore
package import Groundwork
package import SPIFFE
import Synchronization
import X509

/// Bundles as they were last read, so that neither a handshake nor an agent's poll costs a read.
///
/// A change made by this process shows at once (`invalidate`); one made by another server on the same database after at
/// most `maximumAge`.
package final class BundleCache: Sendable {
    /// One trust domain's bundle in the shapes it is needed in.
    package struct Reading: Sendable {
        /// `nil` when there is none.
        package let bundle: TrustBundle?
        /// For verifying certificates; without authorities that cannot be parsed.
        package let x509: X509Bundle?
        let proto: Spire_Api_Types_Bundle?
        let readAt: Duration
    }

    private struct State {
        var readings: [TrustDomain: Reading] = [:]
        /// Grows with every invalidation, so that a read that began before one is not kept.
        var generation: UInt64 = 0
    }

    /// The server's own trust domain.
    package let trustDomain: TrustDomain
    private let store: any BundleReader
    private let time: any TimeSource
    private let maximumAge: Duration
    private let state = Mutex(State())
    private static let limit = 1_000

    package init(
        trustDomain: TrustDomain, store: any BundleReader, time: any TimeSource, maximumAge: Duration = .seconds(1)
    ) {
        self.trustDomain = trustDomain
        self.store = store
        self.time = time
        self.maximumAge = maximumAge
    }

    /// The trust domain's bundle, read anew when the last reading is older than `maximumAge` or was invalidated.
    /// - Throws: what the datastore reports.
    package func fresh(_ trustDomain: TrustDomain) async throws -> TrustBundle? {
        try await reading(of: trustDomain).bundle
    }

    /// The same in all shapes.
    package func reading(of trustDomain: TrustDomain) async throws -> Reading {
        let now = time.uptime
        let (known, generation) = state.withLock { ($0.readings[trustDomain], $0.generation) }
        if let known, now - known.readAt < maximumAge { return known }
        let bundle = try await store.bundle(trustDomainID: trustDomain.id.description)
        let reading: Reading
        if let known, known.bundle == bundle {
            reading = Reading(bundle: bundle, x509: known.x509, proto: known.proto, readAt: now)
        } else {
            reading = Reading(
                bundle: bundle, x509: bundle.map { Self.x509(trustDomain, $0) },
                proto: bundle.flatMap { try? BundleMapping.proto($0) }, readAt: now)
        }
        state.withLock { state in
            guard state.generation == generation else { return }
            if state.readings.count >= Self.limit { state.readings.removeAll() }
            state.readings[trustDomain] = reading
        }
        return reading
    }

    /// Forgets the bundle: it changed, or may have.
    package func invalidate(_ trustDomainID: String) {
        guard let trustDomain = try? TrustDomain(trustDomainID) else { return }
        state.withLock { state in
            state.generation += 1
            state.readings[trustDomain] = nil
        }
    }

    private static func x509(_ trustDomain: TrustDomain, _ bundle: TrustBundle) -> X509Bundle {
        X509Bundle(
            trustDomain, authorities: bundle.x509Authorities.compactMap { try? Certificate(spiffeDER: $0.der) })
    }
}
