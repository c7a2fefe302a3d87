// SPDX-License-Identifier: Apache-2.0

package import Datastore

extension SQLDatastore: CAJournalStore {
    private static let columns = "SELECT id, data, active_x509_authority_id FROM ca_journals"

    package func setCAJournal(_ journal: CAJournal) async throws -> CAJournal {
        let now = now()
        return try await pool.write { connection, _ in
            var journal = journal
            if journal.id == 0 {
                journal.id = try connection.insert(
                    """
                    INSERT INTO ca_journals (created_at, updated_at, data, active_x509_authority_id, \
                    active_jwt_authority_id) VALUES (?, ?, ?, ?, ?)
                    """,
                    [.time(now), .time(now), .blob(journal.data), .text(journal.activeX509AuthorityID), .text("")])
                return journal
            }
            let changed = try connection.execute(
                "UPDATE ca_journals SET updated_at = ?, data = ?, active_x509_authority_id = ? WHERE id = ?",
                [.time(now), .blob(journal.data), .text(journal.activeX509AuthorityID), .integer(journal.id)])
            if changed == 0 { throw StoreFailure.recordNotFound }
            return journal
        }
    }

    package func caJournal(activeX509AuthorityID: String) async throws -> CAJournal? {
        if activeX509AuthorityID.isEmpty { throw StoreFailure.invalid("active X509 authority ID is required") }
        return try await pool.read { connection in
            let sql = Self.columns + " WHERE active_x509_authority_id = ? ORDER BY id LIMIT 1"
            return try Self.journals(sql, [.text(activeX509AuthorityID)], on: connection).first
        }
    }

    package func listCAJournals() async throws -> [CAJournal] {
        try await pool.read { try Self.journals(Self.columns + " ORDER BY id", [], on: $0) }
    }

    package func deleteCAJournal(id: Int64) async throws {
        try await pool.write { connection, _ in
            try connection.execute("DELETE FROM ca_journals WHERE id = ?", [.integer(id)])
        }
    }

    private static func journals(
        _ sql: String, _ values: [SQLValue], on connection: any SQLConnection
    ) throws -> [CAJournal] {
        var journals: [CAJournal] = []
        try connection.query(sql, values) { row in
            journals.append(CAJournal(id: row.integer(0), data: row.blob(1), activeX509AuthorityID: row.text(2)))
        }
        return journals
    }
}
