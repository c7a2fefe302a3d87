// SPDX-License-Identifier: Apache-2.0

import Datastore
import TestKit
import Testing

@testable import SQLDatastore

@Suite(.enabled(if: ThrowawayServer.mariadbIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct MySQLPlanTests {
    /// Which index each part of a statement is read by, and how many rows the planner expects there.
    private func plan(_ sql: String, _ values: [SQLValue]?, _ store: SQLDatastore) async throws -> [(table: String, index: String, rows: Int64)] {
        let bound = values ?? [SQLValue](repeating: .text("x"), count: sql.filter { $0 == "?" }.count)
        return try await store.pool.read { connection in
            var lines: [(table: String, index: String, rows: Int64)] = []
            try connection.query("EXPLAIN " + sql, bound) { row in
                lines.append((row.text(2), row.text(5), row.integer(8)))
            }
            return lines
        }
    }

    @Test("no look-up or listing reads a table as a whole, with or without statistics")
    func plans() async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let database = server.createDatabase()
        let store = try await openStore(database)
        server.sql(
            """
            INSERT INTO registered_entries (entry_id, spiffe_id, parent_id, hint, expiry)
                SELECT CONCAT('e', seq), CONCAT('s', seq), 'p', '', 0 FROM seq_1_to_3000;
            INSERT INTO selectors (registered_entry_id, type, value) SELECT id, 'unix', CONCAT('uid:', id) FROM registered_entries;
            """, on: database)
        for hasStatistics in [false, true] {
            if hasStatistics { server.sql("ANALYZE TABLE registered_entries, selectors", on: database) }
            for behavior in [MatchBehavior.exact, .subset, .superset, .any] {
                var filter = EntryFilter()
                filter.selectors = SelectorMatch(
                    [Selector(type: "unix", value: "uid:7"), Selector(type: "unix", value: "uid:8")], behavior)
                let wanted = filter
                let query = try await store.pool.read { connection in
                    try EntryQuery.make(wanted, try RowRange(nil, .mysql), on: connection, .mysql)
                }
                let steps = try await plan(try #require(query?.sql), query?.values, store)
                if hasStatistics { #expect(steps.allSatisfy { $0.rows < 100 }, "\(behavior): \(steps)") }
                #expect(steps.contains { $0.table == "e" && $0.index == "PRIMARY" }, "\(behavior): \(steps)")
            }
            let statements = EntryStatements(.mysql)
            for (sql, index) in [
                (statements.sameBySPIFFEID, "idx_registered_entries_spiffe_id"),
                (statements.sameByParent, "idx_registered_entries_parent_id"),
                (statements.childrenOf, "idx_registered_entries_parent_id"),
            ] {
                let steps = try await plan(sql, nil, store)
                #expect(steps.map(\.index) == [index], "\(sql): \(steps)")
            }
        }
        await store.close()
    }
}
