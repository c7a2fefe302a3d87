// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

extension DatastoreConformance {
    static let federation: [Check] = [
        Check("federation relationships are kept with their bundles") { store in
            let first = FederationRelationship(
                trustDomain: "one.org", bundleEndpointURL: "https://one.org/b",
                profile: .httpsSPIFFE(endpointID: "spiffe://one.org/ep"),
                bundle: TrustBundle(trustDomainID: "spiffe://one.org"))
            let second = FederationRelationship(
                trustDomain: "two.org", bundleEndpointURL: "https://two.org/b", profile: .httpsWeb)
            try requireEqual(try await store.createFederationRelationship(first), first)
            _ = try await store.createFederationRelationship(second)
            try await requireFailure(.alreadyExists) { _ = try await store.createFederationRelationship(second) }
            try requireEqual(try await store.federationRelationship(trustDomain: "one.org"), first)
            try requireEqual(try await store.federationRelationship(trustDomain: "none.org"), nil)
            try requireEqual(try await store.listFederationRelationships(page: nil).items, [first, second])
            let page = try await store.listFederationRelationships(page: PageRequest(size: 1))
            try requireEqual(page.items, [first])
            var changed = second
            changed.bundleEndpointURL = "https://two.org/c"
            changed.profile = .httpsSPIFFE(endpointID: "spiffe://two.org/x")
            try requireEqual(try await store.updateFederationRelationship(changed), changed)
            try requireEqual(try await store.federationRelationship(trustDomain: "two.org"), changed)
            var masked = first
            masked.bundleEndpointURL = ""
            masked.profile = .httpsWeb
            masked.bundle = nil
            let kept = try await store.updateFederationRelationship(masked, fields: .profile)
            try requireEqual(kept.bundleEndpointURL, first.bundleEndpointURL)
            try requireEqual(kept.profile, .httpsWeb)
            try requireEqual(kept.bundle, first.bundle)
            try requireEqual(try await store.federationRelationship(trustDomain: "one.org"), kept)
            try await store.deleteFederationRelationship(trustDomain: "one.org")
            try requireEqual(try await store.countBundles(), 1)
            try await requireFailure(.notFound, "datastore-sql: record not found") {
                try await store.deleteFederationRelationship(trustDomain: "one.org")
            }
            try await requireFailure(.notFound) { _ = try await store.updateFederationRelationship(first) }
            let nameless = FederationRelationship(trustDomain: "", bundleEndpointURL: "x", profile: .httpsWeb)
            try await requireFailure(.invalid, "trust domain is required") {
                _ = try await store.createFederationRelationship(nameless)
            }
        }
    ]

    static let small: [Check] = [
        Check("a join token is taken once, by whoever comes first") { store in
            try await store.createJoinToken(JoinToken(token: "t", expiry: 5))
            try await requireFailure(.alreadyExists) {
                try await store.createJoinToken(JoinToken(token: "t", expiry: 6))
            }
            try requireEqual(try await store.joinToken("t"), JoinToken(token: "t", expiry: 5))
            let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 { group.addTask { try await store.takeJoinToken("t") != nil } }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            try requireEqual(winners, 1)
            try requireEqual(try await store.joinToken("t"), nil)
            try await requireFailure(.unknown, "datastore-sql: token and expiry are required") {
                try await store.createJoinToken(JoinToken(token: "", expiry: 6))
            }
        },
        Check("expired join tokens are pruned") { store in
            for expiry in [5, 6, 7] as [Int64] {
                try await store.createJoinToken(JoinToken(token: "t\(expiry)", expiry: expiry))
            }
            try await store.pruneJoinTokens(expiredBefore: 6)
            try requireEqual(try await store.joinToken("t5"), nil)
            try requireEqual(try await store.joinToken("t6")?.expiry, 6)
        },
        Check("journals are inserted, found by their authority, updated and deleted") { store in
            let first = try await store.setCAJournal(CAJournal(data: [1], activeX509AuthorityID: "a"))
            let second = try await store.setCAJournal(CAJournal(data: [], activeX509AuthorityID: "b"))
            try require(first.id > 0 && second.id != first.id, "journals have ids")
            var changed = first
            changed.data = [2, 3]
            changed.activeX509AuthorityID = "c"
            try requireEqual(try await store.setCAJournal(changed), changed)
            try requireEqual(try await store.caJournal(activeX509AuthorityID: "a"), nil)
            try requireEqual(try await store.caJournal(activeX509AuthorityID: "c"), changed)
            try requireEqual(try await store.listCAJournals(), [changed, second])
            try await store.deleteCAJournal(id: second.id)
            try requireEqual(try await store.listCAJournals(), [changed])
            let unknown = CAJournal(id: 99, data: [], activeX509AuthorityID: "x")
            try await requireFailure(.notFound) { _ = try await store.setCAJournal(unknown) }
        },
        Check("one look shows new events and which bundles were written since") { store in
            guard let reader = store as? any FeedReader else {
                return try require(false, "the store is a FeedReader")
            }
            _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://a.test"))
            _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://b.test"))
            _ = try await store.add(.sample(id: "e"))
            try await store.createNode(
                AttestedNode(spiffeID: "n", attestationType: "t", serialNumber: "1", expiresAt: 2))
            let first = try await reader.feed(entriesAfter: 0, nodesAfter: 0)
            try requireEqual(first.entries.map(\.key), ["e"])
            try requireEqual(first.nodes.map(\.key), ["n"])
            let domains = first.bundles?.map(\.trustDomainID).sorted()
            try requireEqual(domains, ["spiffe://a.test", "spiffe://b.test"])
            var changed = TrustBundle(trustDomainID: "spiffe://b.test")
            changed.sequenceNumber = 300
            _ = try await store.setBundle(changed)
            let second = try await reader.feed(
                entriesAfter: first.entries[0].eventID, nodesAfter: first.nodes[0].eventID)
            try require(second.entries.isEmpty && second.nodes.isEmpty, "what was seen does not come again")
            let before = Set(first.bundles ?? [])
            try requireEqual(
                (second.bundles ?? []).filter { !before.contains($0) }.map(\.trustDomainID), ["spiffe://b.test"])
        },
        Check("every change of entries and nodes leaves an event, in order") { store in
            try requireEqual(try await store.latestEntryEventID(), 0)
            let entry = try await store.add(.sample(id: "e"))
            _ = try await store.updateEntry(entry, fields: .hint)
            try await store.deleteEntry(id: "e")
            let events = try await store.entryEvents(after: 0)
            try requireEqual(events.map(\.key), ["e", "e", "e"])
            try requireEqual(events.map(\.eventID), events.map(\.eventID).sorted())
            try requireEqual(try await store.latestEntryEventID(), events.last?.eventID)
            try requireEqual(try await store.entryEvents(after: events[1].eventID), [events[2]])
            try await store.createNode(
                AttestedNode(spiffeID: "n", attestationType: "x", serialNumber: "1", expiresAt: 5))
            try requireEqual(try await store.latestNodeEventID(), try await store.nodeEvents(after: 0).last?.eventID)
            try await store.pruneEvents(olderThan: 4_000_000_000)
            try requireEqual(try await store.entryEvents(after: 0), [])
            _ = try await store.add(.sample())
            try require(try await store.latestEntryEventID() > (events.last?.eventID ?? 0), "event ids are not used twice")
        },
    ]
}
