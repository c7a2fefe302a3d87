// SPDX-License-Identifier: Apache-2.0

package import Datastore

/// What following a database that others write to costs, and what it brings.
extension SharedDatastoreConformance {
    /// A look is one statement, and brings what other servers have changed.
    /// - Parameters:
    ///   - other: Another server's store on the same database.
    ///   - log: Of the statements of `store`.
    package static func looksAreOneStatement(
        _ store: any FeedReader, other: any Datastore, _ log: StatementLog
    ) async throws {
        var last: Int64 = 0
        _ = log.take()
        for number in 0..<5 {
            try requireEqual(try await store.feed(entriesAfter: last, nodesAfter: 0).entries, [])
            // A connection that is new says more, once.
            let statements = log.take().filter { $0.contains("events") || $0.hasPrefix("BEGIN") || $0.hasPrefix("START") }
            try requireEqual(statements.count, 1)
            try await other.add(.sample("/w\(number)", id: "w\(number)"))
            let look = try await store.feed(entriesAfter: last, nodesAfter: 0)
            try requireEqual(look.entries.map(\.key), ["w\(number)"])
            try requireEqual(look.mark, nil)
            try requireEqual(look.isUnchanged, false)
            last = look.entries.last?.eventID ?? last
            _ = log.take()
        }
    }

    /// A look at the relationships is one statement, however many there are, and brings what other servers have changed.
    package static func relationshipsAreOneStatement(
        _ store: any FederationStore, other: any FederationStore & BundleWriter, _ log: StatementLog
    ) async throws {
        for number in 0..<3 {
            let id = "spiffe://td\(number).test"
            _ = try await other.setBundle(TrustBundle(trustDomainID: id))
            _ = try await other.createFederationRelationship(
                FederationRelationship(
                    trustDomain: "td\(number).test", bundleEndpointURL: "https://td\(number).test/",
                    profile: number == 1 ? .httpsWeb : .httpsSPIFFE(endpointID: id + "/endpoint")))
            _ = log.take()
            let look = try await store.federationRelationships(unless: nil)
            try requireEqual(look.relationships?.map(\.trustDomain), (0...number).map { "td\($0).test" })
            try requireEqual(look.mark, nil)
            // A connection that is new says more, once.
            let statements = log.take().filter { $0.contains("FROM") || $0.hasPrefix("BEGIN") || $0.hasPrefix("START") }
            try requireEqual(statements.filter { $0.contains("federated_trust_domains") }.count, 1)
            try requireEqual(statements.filter { $0.contains("bundles") || !$0.contains("FROM") }.count, 0)
        }
        try await other.deleteFederationRelationship(trustDomain: "td1.test")
        let left = try await store.federationRelationships(unless: nil).relationships?.map(\.bundleEndpointURL)
        try requireEqual(left, ["https://td0.test/", "https://td2.test/"])
    }

    /// What a look shows, the replica has to show before it is read.
    /// - Parameter reader: Reads a replica of the database that `other` writes to.
    package static func replicaShowsWhatALookShowed(
        _ reader: any EntryReader & FeedReader, other: any Datastore
    ) async throws {
        var last: Int64 = 0
        for number in 0..<100 {
            try await other.add(.sample("/w\(number)", id: "w\(number)"))
            let look = try await reader.feed(entriesAfter: last, nodesAfter: 0)
            try requireEqual(look.entries.map(\.key), ["w\(number)"])
            last = look.entries.last?.eventID ?? last
            try requireEqual(try await reader.entries(ids: ["w\(number)"]).count, 1)
        }
    }
}
