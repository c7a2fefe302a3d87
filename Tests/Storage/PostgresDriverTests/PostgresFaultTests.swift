// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Logging
import PostgresDriver
import TestKit
import Testing

@testable import SQLDatastore

@Suite(.enabled(if: ThrowawayServer.postgresIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct PostgresFaultTests {
    @Test("nothing that was answered is lost, and nothing is made twice, when the database restarts or dies", arguments: ["stop", "kill"])
    func restart(how: String) async throws {
        let server = try ThrowawayServer.make(.postgres)
        // What survives a crash is what reached the disk.
        server.sql("ALTER SYSTEM SET fsync = on", on: "postgres")
        try server.order("stop")
        try server.order("run")
        let database = server.createDatabase()
        let stores = [try await openStore(database, on: server), try await openStore(database, on: server)]
        try await SharedDatastoreConformance.keepsWhatItAnswers(stores) { answered in
            for _ in 0..<2 {
                await answered(50)
                try server.order(how)
                try server.order("run")
            }
        } reading: { stores[0] }
        for store in stores { await store.close() }
    }

    @Test("ended sessions are replaced and their transactions tried again")
    func endedSessions() async throws {
        let server = try ThrowawayServer.shared(.postgres)
        let database = server.createDatabase()
        let stores = [try await openStore(database), try await openStore(database)]
        try await SharedDatastoreConformance.keepsWhatItAnswers(stores) { answered in
            for _ in 0..<20 {
                server.sql(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '\(database)' AND pid <> pg_backend_pid()",
                    on: "postgres")
                await answered(5)
            }
        } reading: { stores[0] }
        for store in stores { await store.close() }
    }

    @Test("after a failover writes go to the promoted server, and nothing that was answered is lost")
    func failover() async throws {
        let server = try ThrowawayServer.make(.postgres)
        // Answers wait for the replica, so that it has what was answered.
        server.sql("ALTER SYSTEM SET synchronous_standby_names = '*'", on: "postgres")
        server.sql("SELECT pg_reload_conf()", on: "postgres")
        let database = server.createDatabase()
        let both = """
            host=127.0.0.1,127.0.0.1 port=\(server.port(.primary)),\(server.port(.replica)) user=spire password=secret \
            dbname=\(database) sslmode=disable
            """
        func open() async throws -> SQLDatastore {
            try await PostgresDatastore.open(
                SQLDatastoreConfiguration(connectionString: both), time: SystemTime(), random: SystemRandom(),
                logger: Logger(label: "test"))
        }
        let stores = [try await open(), try await open()]
        try await SharedDatastoreConformance.keepsWhatItAnswers(stores) { answered in
            await answered(50)
            try server.order("kill")
            try server.order("promote", .replica)
        } reading: { try await open() }
        #expect(server.sql("SELECT pg_is_in_recovery()", on: database, .replica) == "f\n")
        for store in stores { await store.close() }
    }

    @Test("a server that only reads is not written to: the failure says so")
    func readOnly() async throws {
        let server = try ThrowawayServer.shared(.postgres)
        let database = server.createDatabase()
        await (try openStore(database)).close()
        var configuration = SQLDatastoreConfiguration(connectionString: server.connectionString(database, .replica))
        configuration.disableMigration = true
        // The replica hears of the new database a moment later.
        while server.sql("SELECT count(*) FROM migrations", on: database, .replica) != "1\n" { await Task.yield() }
        let store = try await PostgresDatastore.open(
            configuration, time: ImpatientTime(), random: SystemRandom(), logger: Logger(label: "test"))
        let error = await #expect(throws: SpireError.self) { _ = try await store.createEntry(.sample()) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("read-only") == true || error?.message.contains("recovery") == true)
        #expect(try await store.countEntries(EntryFilter()) == 0)
        await store.close()
    }
}

/// The machine's clock, but pauses are left out.
private struct ImpatientTime: TimeSource {
    private let system = SystemTime()
    var now: Date { system.now }
    var uptime: Duration { system.uptime }
    func sleep(for duration: Duration) async throws { try Task.checkCancellation() }
}
