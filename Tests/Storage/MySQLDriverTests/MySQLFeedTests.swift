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
        var last: Int64 = 0
        _ = log.take()
        for number in 0..<5 {
            #expect(try await store.feed(entriesAfter: last, nodesAfter: 0).entries.isEmpty)
            // A connection that is new says more, once.
            let statements = log.take().filter { $0.contains("events") || $0.hasPrefix("BEGIN") || $0.hasPrefix("START") }
            #expect(statements.count == 1)
            try await other.add(.sample("/w\(number)", id: "w\(number)"))
            let look = try await store.feed(entriesAfter: last, nodesAfter: 0)
            #expect(look.entries.map(\.key) == ["w\(number)"] && look.mark == nil && !look.isUnchanged)
            last = look.entries.last?.eventID ?? last
            _ = log.take()
        }
        await other.close()
        await store.close()
    }

    @Test("what a look shows, the replica has to show before it is read")
    func replica() async throws {
        let database = try ThrowawayServer.shared(.mariadb).createDatabase()
        let other = try await openStore(database)
        let tolerant = try await openStore(database, replica: true)
        let reader = tolerant.toleratingStaleness()
        var last: Int64 = 0
        for number in 0..<100 {
            try await other.add(.sample("/w\(number)", id: "w\(number)"))
            let look = try await reader.feed(entriesAfter: last, nodesAfter: 0)
            #expect(look.entries.map(\.key) == ["w\(number)"])
            last = look.entries.last?.eventID ?? last
            #expect(try await reader.entries(ids: ["w\(number)"]).count == 1)
        }
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
