// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging
import MySQLDriver
import TestKit
import Testing

@testable import SQLDatastore

@Suite(.enabled(if: ThrowawayServer.mariadbIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct MySQLFaultTests {
    @Test("nothing that was answered is lost, and nothing is made twice, when the database restarts or dies", arguments: ["stop", "kill"])
    func restart(how: String) async throws {
        let server = try ThrowawayServer.make(.mariadb)
        func surviveCrashes() {
            server.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1; SET GLOBAL sync_binlog = 1", on: "mysql")
        }
        surviveCrashes()
        let database = server.createDatabase()
        let stores = [try await openStore(database, on: server), try await openStore(database, on: server)]
        try await SharedDatastoreConformance.keepsWhatItAnswers(stores) { answered in
            for _ in 0..<2 {
                await answered(50)
                try server.order(how)
                try server.order("run")
                surviveCrashes()
            }
        } reading: { stores[0] }
        for store in stores { await store.close() }
    }

    @Test("ended sessions are replaced and their transactions tried again")
    func endedSessions() async throws {
        let server = try ThrowawayServer.make(.mariadb)
        let database = server.createDatabase()
        let stores = [try await openStore(database, on: server), try await openStore(database, on: server)]
        try await SharedDatastoreConformance.keepsWhatItAnswers(stores) { answered in
            for _ in 0..<20 {
                server.sql("KILL USER spire", on: "mysql")
                await answered(5)
            }
        } reading: { stores[0] }
        for store in stores { await store.close() }
    }

    @Test("of several hosts the one that takes writes is used, also after a failover, and by users who may ignore read-only")
    func failover() async throws {
        let server = try ThrowawayServer.make(.mariadb)
        server.sql("CREATE USER boss@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO boss@'127.0.0.1'", on: "mysql")
        let database = server.createDatabase()
        // The replica comes first, and would let this user write.
        let both = """
            boss:secret@tcp(127.0.0.1:\(server.port(.replica)),127.0.0.1:\(server.port(.primary)))/\(database)?parseTime=true
            """
        while server.sql("SELECT COUNT(*) FROM mysql.user WHERE user = 'boss'", on: "mysql", .replica) != "1\n"
            || !server.sql("SHOW DATABASES", on: "mysql", .replica).contains(database)
        { await Task.yield() }
        let store = try await MySQLDatastore.open(
            SQLDatastoreConfiguration(connectionString: both), time: SystemTime(), random: SystemRandom(),
            logger: Logger(label: "test"))
        try await store.add(.sample("/before"))
        #expect(server.sql("SELECT COUNT(*) FROM registered_entries", on: database) == "1\n")
        while server.sql("SELECT COUNT(*) FROM registered_entries", on: database, .replica) != "1\n" { await Task.yield() }
        // The old primary lives on, and only reads from now on.
        server.sql("SET GLOBAL read_only = 1", on: "mysql")
        try server.order("promote", .replica)
        try await store.add(.sample("/after"))
        #expect(server.sql("SELECT COUNT(*) FROM registered_entries", on: database) == "1\n")
        #expect(server.sql("SELECT COUNT(*) FROM registered_entries", on: database, .replica) == "2\n")
        await store.close()
    }
}
