// SPDX-License-Identifier: Apache-2.0

import Datastore
import SQLDatastore
import TestKit
import Testing

@Suite struct SQLiteConformanceTests {
    @Test("SQLite in a file is a datastore", arguments: DatastoreConformance.all + DatastoreConformance.moments)
    func file(_ check: DatastoreConformance.Check) async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let store = try await scratch.open()
        try await check.run(store)
        await store.close()
        #expect(scratch.sql("PRAGMA integrity_check") == "ok\n")
    }

    @Test("SQLite in memory is a datastore", arguments: DatastoreConformance.all)
    func memory(_ check: DatastoreConformance.Check) async throws {
        let store = try await memoryStore()
        try await check.run(store)
        await store.close()
    }
}
