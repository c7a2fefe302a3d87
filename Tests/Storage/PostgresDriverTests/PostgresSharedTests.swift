// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import TestKit
import Testing

@testable import SQLDatastore

@Suite(.enabled(if: ThrowawayServer.postgresIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct PostgresSharedTests {
    @Test("several servers on one database", arguments: SharedDatastoreConformance.all)
    func servers(_ check: SharedDatastoreConformance.Check) async throws {
        let database = try ThrowawayServer.shared(.postgres).createDatabase()
        // At once, so that the schema is made by whoever is first.
        let stores = try await withThrowingTaskGroup(of: SQLDatastore.self) { group in
            for _ in 0..<SharedDatastoreConformance.servers { group.addTask { try await openStore(database) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await check.run(stores)
        for store in stores { await store.close() }
    }

    @Test("what one server changes the others hear of", .timeLimit(.minutes(1)))
    func hearing() async throws {
        let database = try ThrowawayServer.shared(.postgres).createDatabase()
        let writer = try await openStore(database)
        let follower = try await openStore(database)
        let listening = Task { try await follower.followOtherServers() }
        var changes = follower.localChanges.changes().makeAsyncIterator()
        _ = await changes.next()
        for number in 0..<3 {
            try await writer.add(.sample("/w\(number)"))
            #expect(await changes.next() != nil)
        }
        #expect(try await follower.countEntries(EntryFilter()) == 3)
        listening.cancel()
        _ = await listening.result
        await writer.close()
        await follower.close()
    }

    @Test("with a replica, reads that may be old come from it once it has caught up, and never before")
    func replicaIsRead() async throws {
        let server = try ThrowawayServer.shared(.postgres)
        let database = server.createDatabase()
        let store = try await openStore(database, replica: true)
        let tolerant = store.toleratingStaleness()
        var servedByReplica = 0
        for number in 0..<200 {
            try await store.add(.sample("/w\(number)"))
            // Never behind our own write.
            #expect(try await tolerant.countEntries(EntryFilter()) == number + 1)
            let isReplica = try await tolerant.pool.read { try $0.number("SELECT CAST(pg_is_in_recovery() AS int)") == 1 }
            if isReplica { servedByReplica += 1 }
            if servedByReplica > 5 { break }
        }
        #expect(servedByReplica > 5)
        await store.close()
    }
}
