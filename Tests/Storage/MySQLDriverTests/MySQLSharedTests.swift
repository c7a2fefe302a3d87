// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import TestKit
import Testing

@testable import SQLDatastore

@Suite(.enabled(if: ThrowawayServer.mariadbIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct MySQLSharedTests {
    @Test("several servers on one database", arguments: SharedDatastoreConformance.all)
    func servers(_ check: SharedDatastoreConformance.Check) async throws {
        let database = try ThrowawayServer.shared(.mariadb).createDatabase()
        // At once, so that the schema is made by whoever is first.
        let stores = try await withThrowingTaskGroup(of: SQLDatastore.self) { group in
            for _ in 0..<SharedDatastoreConformance.servers { group.addTask { try await openStore(database) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await check.run(stores)
        for store in stores { await store.close() }
    }

    @Test("with a replica, reads that may be old come from it once it has caught up, and never while it lags")
    func replicaIsRead() async throws {
        let server = try ThrowawayServer.make(.mariadb)
        let database = server.createDatabase()
        let store = try await openStore(database, on: server, replica: true)
        let tolerant = store.toleratingStaleness()
        func answering() async throws -> Int64? { try await tolerant.pool.read { try $0.number("SELECT @@server_id") } }
        func letReplicaCatchUp() {
            let position = server.sql("SELECT @@gtid_binlog_pos", on: "mysql").filter { $0 != "\n" }
            #expect(server.sql("SELECT MASTER_GTID_WAIT('\(position)', 30)", on: "mysql", .replica) == "0\n")
        }
        for number in 0..<3 {
            try await store.add(.sample("/w\(number)"))
            // Never behind our own write.
            #expect(try await tolerant.countEntries(EntryFilter()) == number + 1)
            letReplicaCatchUp()
            #expect(try await tolerant.countEntries(EntryFilter()) == number + 1)
            #expect(try await answering() == 2)
        }
        server.sql("STOP SLAVE SQL_THREAD", on: "mysql", .replica)
        try await store.add(.sample("/unknown-to-the-replica"))
        for _ in 0..<3 {
            #expect(try await tolerant.countEntries(EntryFilter()) == 4)
            #expect(try await answering() == 1)
        }
        // One that is about to catch up is waited for, so that a busy primary does not have to answer everything.
        let patient = try await openStore(database, on: server, replica: true, patience: .seconds(10))
        let waiting = patient.toleratingStaleness()
        #expect(try await waiting.countEntries(EntryFilter()) == 4)
        async let answer = waiting.pool.read { try $0.numbers("SELECT @@server_id FROM registered_entries", []) }
        server.sql("START SLAVE SQL_THREAD", on: "mysql", .replica)
        #expect(try await answer == [2, 2, 2, 2])
        letReplicaCatchUp()
        #expect(try await answering() == 2)
        await patient.close()
        await store.close()
    }
}
