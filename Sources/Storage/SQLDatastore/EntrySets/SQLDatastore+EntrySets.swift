// SPDX-License-Identifier: Apache-2.0

package import Datastore
package import Groundwork

extension SQLDatastore: EntrySetStore {
    package func beginEntrySet(owner: String) async throws -> Int64 {
        try await prepare(EntryOwners.table)
        do {
            return try await raiseGeneration(owner)
        } catch let error as SpireError where error.code == .alreadyExists {
            // Somebody else has inserted the owner's first row in between.
            return try await raiseGeneration(owner)
        }
    }

    private func raiseGeneration(_ owner: String) async throws -> Int64 {
        let now = now()
        return try await pool.write { connection, _ in
            let raised = try connection.execute(
                "UPDATE \(EntryOwners.name) SET updated_at = ?, generation = generation + 1 WHERE owner = ?",
                [.time(now), .text(owner)])
            if raised == 0 {
                _ = try connection.insert(
                    "INSERT INTO \(EntryOwners.name) (created_at, updated_at, owner, generation) VALUES (?, ?, ?, ?)",
                    [.time(now), .time(now), .text(owner), .integer(Int64(1))])
            }
            return try connection.number(EntryOwners.generation, [.text(owner)]) ?? 0
        }
    }

    package func listEntries(idPrefix prefix: String, page: PageRequest) async throws -> Page<RegistrationEntry> {
        let range = try RowRange(page, pool.dialect)
        return try await pool.read { [self] connection in
            var sql = "SELECT \(EntryStatements.columns) FROM registered_entries AS e WHERE e.entry_id LIKE ?"
            var values: [SQLValue] = [.text(prefix + "%")]
            if let after = range.after {
                sql += " AND e.id > ?"
                values.append(.integer(after))
            }
            sql += " ORDER BY e.id"
            if let limit = range.limit {
                sql += " LIMIT ?"
                values.append(.integer(Int64(limit)))
            }
            var rows = EntryRows()
            try connection.query(sql, values) { try rows.add($0) }
            try rows.complete(connection, pool.dialect)
            // Databases differ in whether LIKE looks at the case of letters.
            return Page(rows.entries.filter { $0.id.hasPrefix(prefix) }, nextToken: range.nextToken(rows.ids.last))
        }
    }

    package func similarEntries(_ entries: [RegistrationEntry]) async throws -> [RegistrationEntry?] {
        try await pool.read { [self] connection in
            try entries.map { entry in
                var search = SimilarEntry(
                    entry: entry, statements: entryStatements, connection: connection,
                    comparesLoosely: pool.dialect.comparesLoosely)
                let found = try search.find()
                return try found.flatMap { try fetchEntries(rowIDs: [$0], on: connection).entries.first }
            }
        }
    }

    package func changeEntries(
        _ changes: [EntryChange], turn: EntrySetTurn?
    ) async throws -> [Result<EntryChangeOutcome, SpireError>] {
        if changes.isEmpty { return [] }
        let now = now()
        let first = random.next()
        let prepared = changes.map { change in
            Result<EntryChange, any Error> {
                try EntryChanges.checked(change) { random.uuid(beginningAs: first) }
            }
        }
        return try await change { [self] connection, mode in
            if let turn { try checkTurn(turn, on: connection) }
            var perform = EntryChanges(store: self, connection: connection, now: now)
            return try prepared.map { change in
                try separately(connection, mode) { try perform(try change.get()) }
            }
        }
    }

    /// Holds the owner's row until the transaction ends, so that no other turn begins before these changes are made.
    private func checkTurn(_ turn: EntrySetTurn, on connection: any SQLConnection) throws {
        let current = try connection.number(EntryOwners.generation + pool.dialect.rowLock, [.text(turn.owner)])
        guard current == turn.generation else {
            throw SpireError(
                .entrySetSuperseded, "another apply of owner \"\(turn.owner)\" has begun since; nothing was changed")
        }
    }
}

/// Holds no entries: without it, only running applies are cut short.
enum EntryOwners {
    static let name = "swift_spire_entry_owners"
    static let generation = "SELECT generation FROM \(name) WHERE owner = ?"
    static let table = Schema.Table(
        name: name, columns: [Schema.Column("owner", .string), Schema.Column("generation", .int64)],
        indexes: [Schema.Index(name: "uix_swift_spire_entry_owners_owner", columns: ["owner"], isUnique: true)])
}
