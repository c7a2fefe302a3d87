// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Datastore
package import Groundwork
package import SPIFFE
import SwiftProtobuf
import Synchronization
import X509

/// Bundles as they were last read, so that neither a handshake nor an agent's poll costs a read.
///
/// A change made by this process shows at once (`invalidate`). One made by another server on the same database shows once
/// it is noticed (`note`); while nobody looks for such changes, after at most `maximumAge`.
package final class BundleCache: Sendable {
    /// One trust domain's bundle in the shapes it is needed in.
    package struct Reading: Sendable {
        /// `nil` when there is none.
        package let bundle: TrustBundle?
        /// For verifying certificates; without authorities that cannot be parsed.
        package let x509: X509Bundle?
        let proto: Spire_Api_Types_Bundle?
        /// Of the content as it is sent; 0 when there is none.
        let version: UInt64
        /// Bytes of it.
        let size: Int
        let readAt: Duration
    }

    private struct State {
        var readings: [TrustDomain: Reading] = [:]
        /// Grows with every invalidation, so that a read that began before one is not kept.
        var generation: UInt64 = 0
        /// The bundles' state when it was last looked at, and when that was.
        var stamps: [String: String]?
        var noted: Duration = .zero
    }

    /// The server's own trust domain.
    package let trustDomain: TrustDomain
    private let store: any BundleReader
    private let time: any TimeSource
    private let maximumAge: Duration
    private let changed: @Sendable (String) -> Void
    private let state = Mutex(State())
    private static let limit = 1_000
    /// How old a reading may get while changes are looked for, and for how long a look counts.
    private static let followedAge: Duration = .seconds(60)
    private static let followedSpan: Duration = .seconds(30)

    /// - Parameter changed: Told the ID of each trust domain whose bundle changed or may have.
    package init(
        trustDomain: TrustDomain, store: any BundleReader, time: any TimeSource, maximumAge: Duration = .seconds(1),
        changed: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.trustDomain = trustDomain
        self.store = store
        self.time = time
        self.maximumAge = maximumAge
        self.changed = changed
    }

    /// The trust domain's bundle, read anew when the last reading is older than `maximumAge` or was invalidated.
    /// - Throws: what the datastore reports.
    package func fresh(_ trustDomain: TrustDomain) async throws -> TrustBundle? {
        try await reading(of: trustDomain).bundle
    }

    /// The same in all shapes.
    package func reading(of trustDomain: TrustDomain) async throws -> Reading {
        let now = time.uptime
        let (known, generation, age) = state.withLock { state in
            let isFollowed = state.stamps != nil && now - state.noted < Self.followedSpan
            return (state.readings[trustDomain], state.generation, isFollowed ? Self.followedAge : maximumAge)
        }
        if let known, now - known.readAt < age { return known }
        let bundle = try await store.bundle(trustDomainID: trustDomain.id.description)
        let reading: Reading
        if let known, known.bundle == bundle {
            reading = Reading(
                bundle: bundle, x509: known.x509, proto: known.proto, version: known.version, size: known.size,
                readAt: now)
        } else {
            let proto = bundle.flatMap { try? BundleMapping.proto($0) }
            let (version, size) = Self.version(proto)
            reading = Reading(
                bundle: bundle, x509: bundle.map { Self.x509(trustDomain, $0) }, proto: proto, version: version,
                size: size, readAt: now)
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
        changed(trustDomainID)
    }

    /// Takes in what state the stored bundles are in. Those that differ from the last time have changed, whoever did it.
    package func note(_ stamps: [BundleStamp]) {
        let now = time.uptime
        let new = Dictionary(stamps.map { ($0.trustDomainID, $0.stamp) }) { $1 }
        let differing = state.withLock { state -> [String] in
            defer {
                state.stamps = new
                state.noted = now
            }
            guard let old = state.stamps, now - state.noted < Self.followedSpan else {
                // What was read before the first look may be older than it.
                let known = state.readings.keys.map(\.id.description)
                state.generation += 1
                state.readings.removeAll()
                return known
            }
            if old == new { return [] }
            return Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }
        }
        for trustDomainID in differing { invalidate(trustDomainID) }
    }

    /// FNV-1a over the message, and its size.
    private static func version(_ proto: Spire_Api_Types_Bundle?) -> (UInt64, Int) {
        guard let bytes: [UInt8] = try? proto?.serializedBytes() else { return (0, 0) }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return (max(1, hash), bytes.count)
    }

    private static func x509(_ trustDomain: TrustDomain, _ bundle: TrustBundle) -> X509Bundle {
        X509Bundle(
            trustDomain, authorities: bundle.x509Authorities.compactMap { try? Certificate(spiffeDER: $0.der) })
    }
}
