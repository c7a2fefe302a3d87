// SPDX-License-Identifier: Apache-2.0

package import Datastore

extension SQLDatastore: EventReader {
    package func entryEvents(after eventID: Int64) async throws -> [ChangeEvent] {
        try await events("SELECT id, entry_id FROM registered_entries_events WHERE id > ? ORDER BY id", eventID)
    }

    package func nodeEvents(after eventID: Int64) async throws -> [ChangeEvent] {
        try await events("SELECT id, spiffe_id FROM attested_node_entries_events WHERE id > ? ORDER BY id", eventID)
    }

    package func latestEntryEventID() async throws -> Int64 {
        try await pool.read { try $0.number("SELECT MAX(id) FROM registered_entries_events") ?? 0 }
    }

    package func latestNodeEventID() async throws -> Int64 {
        try await pool.read { try $0.number("SELECT MAX(id) FROM attested_node_entries_events") ?? 0 }
    }

    package func pruneEvents(olderThan cutoff: Int64) async throws {
        for table in ["registered_entries_events", "attested_node_entries_events"] {
            var last: Int64 = 0
            while let next = try await pruneEvents(of: table, after: last, olderThan: cutoff) { last = next }
        }
    }

    /// Rows looked at in one transaction, so that other writers get in between. There is no index on the time, but ids
    /// grow with it: the oldest come first, and a window without any that is old ends the search.
    private static let eventWindow: Int64 = 1000

    /// - Returns: where the next window begins; `nil` when there is nothing more to do.
    private func pruneEvents(of table: String, after last: Int64, olderThan cutoff: Int64) async throws -> Int64? {
        try await pool.write { connection, _ in
            var seen: Int64 = 0
            var end = last
            var oldest: Int64?
            try connection.query(
                "SELECT id, created_at FROM \(table) WHERE id > ? ORDER BY id LIMIT ?",
                [.integer(last), .integer(Self.eventWindow)]
            ) { row in
                seen += 1
                end = row.integer(0)
                if let time = row.time(1), time < cutoff { oldest = end }
            }
            guard let oldest else { return nil }
            try connection.execute(
                "DELETE FROM \(table) WHERE id > ? AND id <= ? AND created_at < ?",
                [.integer(last), .integer(oldest), .time(SQLTime(seconds: cutoff))])
            return seen == Self.eventWindow ? end : nil
        }
    }

    /// Counted as the operation that calls it.
    private func events(
        _ sql: String, _ eventID: Int64, function: StaticString = #function
    ) async throws -> [ChangeEvent] {
        let read: @Sendable (any SQLConnection) throws -> [ChangeEvent] = { connection in
            var events: [ChangeEvent] = []
            try connection.query(sql, [.integer(eventID)]) { row in
                events.append(ChangeEvent(eventID: row.integer(0), key: row.text(1)))
            }
            return events
        }
        return try await pool.read(read, function: function)
    }
}
