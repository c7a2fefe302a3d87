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
        let before = SQLValue.time(SQLTime(seconds: cutoff))
        for table in ["registered_entries_events", "attested_node_entries_events"] {
            try await pool.write { connection, _ in
                try connection.execute("DELETE FROM \(table) WHERE created_at < ?", [before])
            }
        }
    }

    private func events(_ sql: String, _ eventID: Int64) async throws -> [ChangeEvent] {
        try await pool.read { connection in
            var events: [ChangeEvent] = []
            try connection.query(sql, [.integer(eventID)]) { row in
                events.append(ChangeEvent(eventID: row.integer(0), key: row.text(1)))
            }
            return events
        }
    }
}
