// SPDX-License-Identifier: Apache-2.0

import Datastore
import SQLDatastore
import TestKit
import Testing

@Suite(.enabled(if: ThrowawayServer.mariadbIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct MySQLConformanceTests {
    @Test("MariaDB is a datastore", arguments: DatastoreConformance.all + DatastoreConformance.moments)
    func primary(_ check: DatastoreConformance.Check) async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let store = try await openStore(server.createDatabase())
        try await check.run(store)
        await store.close()
    }

    @Test("reading from a streaming replica is never behind one's own writes", arguments: DatastoreConformance.all + DatastoreConformance.moments)
    func replica(_ check: DatastoreConformance.Check) async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let store = try await openStore(server.createDatabase(), replica: true)
        try await check.run(store.toleratingStaleness())
        await store.close()
    }

    @Test("reads show one moment even if the connection string asks for less", arguments: DatastoreConformance.moments)
    func isolation(_ check: DatastoreConformance.Check) async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let store = try await openStore(server.createDatabase(), more: "tx_isolation=%27READ-COMMITTED%27")
        try await check.run(store)
        await store.close()
    }
}
