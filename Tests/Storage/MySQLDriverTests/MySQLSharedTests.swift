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
}
