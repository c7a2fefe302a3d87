// SPDX-License-Identifier: Apache-2.0

import Datastore
import TestKit
import Testing

@testable import SQLDatastore

/// What following a database that others write to costs, and what it brings.
@Suite(.enabled(if: ThrowawayServer.mariadbIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct MySQLFeedTests {
    @Test("a look is one statement, and brings what other servers have changed")
    func oneStatement() async throws {
        let database = try ThrowawayServer.shared(.mariadb).createDatabase()
        let log = StatementLog()
        let store = try await openStore(database, statements: log)
        let other = try await openStore(database)
        try await SharedDatastoreConformance.looksAreOneStatement(store, other: other, log)
        await other.close()
        await store.close()
    }

    @Test("a look at the federation relationships is one statement too")
    func relationships() async throws {
        let database = try ThrowawayServer.shared(.mariadb).createDatabase()
        let log = StatementLog()
        let store = try await openStore(database, statements: log)
        let other = try await openStore(database)
        try await SharedDatastoreConformance.relationshipsAreOneStatement(store, other: other, log)
        await other.close()
        await store.close()
    }

    @Test("what a look shows, the replica has to show before it is read")
    func replica() async throws {
        let database = try ThrowawayServer.shared(.mariadb).createDatabase()
        let other = try await openStore(database)
        let tolerant = try await openStore(database, replica: true)
        try await SharedDatastoreConformance.replicaShowsWhatALookShowed(tolerant.toleratingStaleness(), other: other)
        await other.close()
        await tolerant.close()
    }

    @Test("tables whose collations differ, as upgrades leave them, are read all the same")
    func collations() async throws {
        let database = try ThrowawayServer.shared(.mariadb).createDatabase()
        let store = try await openStore(database)
        try await store.pool.write { connection, _ in
            try connection.executeOnce("ALTER TABLE registered_entries_events CONVERT TO CHARACTER SET latin1")
            try connection.executeOnce(
                "ALTER TABLE attested_node_entries_events CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        }
        _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://a.test"))
        try await store.add(.sample("/a", id: "a"))
        let look = try await store.feed(entriesAfter: 0, nodesAfter: 0)
        #expect(look.entries.map(\.key) == ["a"] && look.bundles?.map(\.trustDomainID) == ["spiffe://a.test"])
        await store.close()
    }
}
