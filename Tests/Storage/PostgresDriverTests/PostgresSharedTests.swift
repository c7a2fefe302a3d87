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

    @Test("with a replica, reads that may be old come from it once it has caught up, and never while it lags")
    func replicaIsRead() async throws {
        let server = try ThrowawayServer.make(.postgres)
        let database = server.createDatabase()
        let store = try await openStore(database, on: server, replica: true)
        let tolerant = store.toleratingStaleness()
        func isAnswering(_ store: SQLDatastore) async throws -> Bool {
            try await store.pool.read { try $0.number("SELECT CAST(pg_is_in_recovery() AS int)") == 1 }
        }
        func letReplicaCatchUp() async throws {
            let position = server.sql("SELECT pg_current_wal_insert_lsn()", on: database).filter { $0 != "\n" }
            while server.sql("SELECT pg_last_wal_replay_lsn() >= '\(position)'", on: database, .replica) != "t\n" {
                await Task.yield()
            }
        }
        for number in 0..<3 {
            try await store.add(.sample("/w\(number)"))
            // Never behind our own write.
            #expect(try await tolerant.countEntries(EntryFilter()) == number + 1)
            try await letReplicaCatchUp()
            #expect(try await tolerant.countEntries(EntryFilter()) == number + 1)
            #expect(try await isAnswering(tolerant))
        }
        server.sql("SELECT pg_wal_replay_pause()", on: database, .replica)
        try await store.add(.sample("/unknown-to-the-replica"))
        for _ in 0..<3 {
            #expect(try await tolerant.countEntries(EntryFilter()) == 4)
            #expect(try await !isAnswering(tolerant))
        }
        // One that is about to catch up is waited for, so that a busy primary does not have to answer everything.
        let patient = try await openStore(database, on: server, replica: true, patience: .seconds(10))
        let waiting = patient.toleratingStaleness()
        #expect(try await waiting.countEntries(EntryFilter()) == 4)
        async let answer = isAnswering(waiting)
        server.sql("SELECT pg_wal_replay_resume()", on: database, .replica)
        #expect(try await answer)
        try await letReplicaCatchUp()
        #expect(try await isAnswering(tolerant))
        await patient.close()
        await store.close()
    }
}
