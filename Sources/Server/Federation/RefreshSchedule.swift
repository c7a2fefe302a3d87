// SPDX-License-Identifier: Apache-2.0

package import SPIFFE

/// Where a foreign trust domain's bundle is fetched, and how the endpoint proves who it is.
package struct FederatedEndpoint: Sendable, Hashable {
    package enum Profile: Sendable, Hashable {
        case httpsWeb
        case httpsSPIFFE(SPIFFEID)
    }

    package let trustDomain: TrustDomain
    package let url: String
    package let profile: Profile

    package init(trustDomain: TrustDomain, url: String, profile: Profile) {
        self.trustDomain = trustDomain
        self.url = url
        self.profile = profile
    }
}

/// Decides which endpoint is to be polled when. Pure: time comes in as a reading that never goes backwards.
package struct RefreshSchedule: Sendable {
    /// What a new configuration changed.
    package enum Change: Sendable, Hashable {
        case added(FederatedEndpoint)
        case updated(FederatedEndpoint)
        case removed(TrustDomain)
    }

    private struct Entry: Sendable {
        var endpoint: FederatedEndpoint
        /// `nil` while a poll is under way.
        var dueAt: Duration?
        /// Grows with each poll begun, so that the end of one that was overtaken does not count.
        var round: UInt64 = 0
    }

    private var entries: [TrustDomain: Entry] = [:]

    package init() {}

    package func endpoint(of trustDomain: TrustDomain) -> FederatedEndpoint? { entries[trustDomain]?.endpoint }

    /// Takes over the endpoints there are now. New and changed ones are due at once.
    package mutating func configure(_ endpoints: [TrustDomain: FederatedEndpoint], now: Duration) -> [Change] {
        var changes: [Change] = []
        for trustDomain in entries.keys.sorted() where endpoints[trustDomain] == nil {
            entries[trustDomain] = nil
            changes.append(.removed(trustDomain))
        }
        for (trustDomain, endpoint) in endpoints.sorted(by: { $0.key < $1.key }) {
            guard var entry = entries[trustDomain] else {
                entries[trustDomain] = Entry(endpoint: endpoint, dueAt: now)
                changes.append(.added(endpoint))
                continue
            }
            guard entry.endpoint != endpoint else { continue }
            entry.endpoint = endpoint
            entry.dueAt = now
            entry.round += 1
            entries[trustDomain] = entry
            changes.append(.updated(endpoint))
        }
        return changes
    }

    /// Begins polls that are due, at most `limit`.
    package mutating func begin(now: Duration, limit: Int = .max) -> [(endpoint: FederatedEndpoint, round: UInt64)] {
        var begun: [(endpoint: FederatedEndpoint, round: UInt64)] = []
        for trustDomain in entries.keys.sorted() {
            guard begun.count < limit else { break }
            guard var entry = entries[trustDomain], let dueAt = entry.dueAt, dueAt <= now else { continue }
            entry.dueAt = nil
            entry.round += 1
            entries[trustDomain] = entry
            begun.append((entry.endpoint, entry.round))
        }
        return begun
    }

    /// A poll ended; the next one is due at `next`.
    /// - Returns: `false` when the endpoint changed or went away meanwhile, so that nothing follows from it.
    package mutating func finish(_ trustDomain: TrustDomain, round: UInt64, next: Duration) -> Bool {
        guard var entry = entries[trustDomain], entry.round == round else { return false }
        entry.dueAt = next
        entries[trustDomain] = entry
        return true
    }

    /// A poll out of turn went well: the next one counts from it.
    package mutating func postpone(_ trustDomain: TrustDomain, to next: Duration) {
        guard var entry = entries[trustDomain], entry.dueAt != nil else { return }
        entry.dueAt = next
        entries[trustDomain] = entry
    }

    /// When the next poll is due; `nil` when none is.
    package var nextDue: Duration? { entries.values.compactMap(\.dueAt).min() }
}
