// SPDX-License-Identifier: Apache-2.0

import CSQLite
import Datastore
import TestKit
import Testing

@testable import SQLDatastore
@testable import SQLiteDriver

/// SQLite left alone chooses among indexes by statistics and by the order they were made in.
@Suite struct QueryPlanTests {
    private static let indexes = Schema.creation(.sqlite).filter { $0.contains("INDEX") }
    private static let sort = "USE TEMP B-TREE FOR ORDER BY"

    /// The same tables with indexes made in different orders, empty, full, and with statistics that mislead.
    private func databases(lying: Bool) throws -> [SQLiteConnection] {
        let orders = [Self.indexes, Self.indexes.reversed(), Self.indexes.sorted()]
        return try orders.flatMap { order in
            try (lying ? ["lie"] : ["", "ANALYZE"]).map { statistics in
                let connection = try SQLiteConnection(
                    opening: "file::memory:", flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, pragmas: [])
                for statement in Schema.creation(.sqlite).filter({ !$0.contains("INDEX") }) + order {
                    try connection.executeOnce(statement)
                }
                if statistics.isEmpty { return connection }
                for number in 1...200 {
                    try connection.executeOnce(
                        """
                        INSERT INTO registered_entries (entry_id, spiffe_id, parent_id, expiry, hint)
                        VALUES ('e\(number)', 's\(number % 3)', 'p', 0, '');
                        INSERT INTO selectors (registered_entry_id, type, value) VALUES (\(number), 'unix', 'uid:0');
                        """)
                }
                try connection.executeOnce("ANALYZE")
                if statistics == "lie" {
                    // Every index but the one meant looks as if it led to a single row.
                    try connection.executeOnce(
                        """
                        UPDATE sqlite_stat1 SET stat = '1000000 1000000 1000000 1000000';
                        UPDATE sqlite_stat1 SET stat = '1000000 1' WHERE idx LIKE '%parent_id' OR idx LIKE '%hint';
                        ANALYZE sqlite_schema;
                        """)
                }
                return connection
            }
        }
    }

    private func plan(_ sql: String, _ values: [SQLValue]?, _ connection: SQLiteConnection) throws -> [String] {
        let bound = values ?? [SQLValue](repeating: .null, count: sql.filter { $0 == "?" }.count)
        var lines: [String] = []
        try connection.query("EXPLAIN QUERY PLAN " + sql, bound) { lines.append($0.text(3)) }
        return lines
    }

    @Test("every look-up of an entry has one plan, whatever the indexes and statistics")
    func lookups() throws {
        let honest = try databases(lying: false)
        let lying = try databases(lying: true)
        for sql in EntryStatements(.sqlite).lookups {
            let plans = Set(try honest.map { try plan(sql, nil, $0) })
            #expect(plans.count == 1, "\(sql)\n\(plans)")
            // What it is told to be one row, SQLite may put through a sort that costs nothing; nothing else may change.
            let misled = Set(try lying.map { try plan(sql, nil, $0).filter { $0 != Self.sort } })
            #expect(misled == [plans.first?.filter { $0 != Self.sort }], "\(sql)\n\(plans)")
            let steps = plans.first ?? []
            #expect(!steps.contains { $0.hasPrefix("SCAN e") || $0.hasPrefix("SCAN s") }, "\(sql)\n\(steps)")
        }
    }

    @Test("counting everything reads the smallest index and no table")
    func counting() throws {
        for connection in try databases(lying: false) + databases(lying: true) {
            let range = try RowRange(nil, .sqlite)
            let query = try EntryQuery.make(EntryFilter(), range, counting: true, on: connection, .sqlite)
            let steps = try plan(try #require(query).sql, nil, connection)
            #expect(steps.count == 1 && steps[0].hasSuffix("USING COVERING INDEX idx_registered_entries_expiry"))
        }
    }

    @Test("every shape of listing has one plan, and reads by the index meant for it", arguments: 0..<64)
    func listings(shape: Int) throws {
        var filter = EntryFilter()
        var expected = "INTEGER PRIMARY KEY"
        if shape & 1 != 0 {
            filter.hint = "h"
            expected = "idx_registered_entries_hint"
        }
        if shape & 2 != 0 {
            filter.parentID = "p"
            expected = "idx_registered_entries_parent_id"
        }
        if shape & 4 != 0 {
            filter.spiffeID = "s"
            expected = "idx_registered_entries_spiffe_id"
        }
        if shape & 8 != 0 {
            let behaviors: [MatchBehavior] = [.exact, .subset, .superset, .any]
            let selectors = [Selector(type: "t", value: "a"), Selector(type: "t", value: "b")]
            filter.selectors = SelectorMatch(selectors, behaviors[shape & 3])
            expected = "INTEGER PRIMARY KEY"
        }
        if shape & 16 != 0 { filter.downstream = true }
        let page = shape & 32 != 0 ? PageRequest(token: "7", size: 5) : nil
        let honest = try databases(lying: false)
        let range = try RowRange(page, .sqlite)
        let query = try #require(try EntryQuery.make(filter, range, on: honest[0], .sqlite))
        let plans = Set(try honest.map { try plan(query.sql, query.values, $0) })
        #expect(plans.count == 1, "\(query.sql)\n\(plans)")
        let misled = Set(
            try databases(lying: true).map { try plan(query.sql, query.values, $0).filter { $0 != Self.sort } })
        #expect(misled == [plans.first ?? []], "\(query.sql)\n\(plans)")
        let outer = plans.first?.first { $0.contains(" e") } ?? ""
        if shape & 15 == 0, page == nil {
            #expect(outer.hasPrefix("SCAN e"))
        } else {
            #expect(outer.contains(expected), "\(query.sql)\n\(plans)")
        }
        #expect(plans.first?.contains { $0 == Self.sort } == false, "\(plans)")
    }
}
