// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork

extension SQLDatastore: EntryReader {
    package func entry(id: String) async throws -> RegistrationEntry? {
        try await pool.read { [self] in try fetchEntry(id: id, on: $0)?.entry }
    }

    package func entries(ids: [String]) async throws -> [RegistrationEntry] {
        try await pool.read { [self] in try records(ids: ids, on: $0).entries }
    }

    package func entryRecords(ids: [String]) async throws -> EntryRecords {
        try await pool.read { [self] in try records(ids: ids, on: $0) }
    }

    private func records(ids: [String], on connection: any SQLConnection) throws -> EntryRecords {
        let wanted = Set(ids)
        var rowIDs: [Int64] = []
        let byID = pool.dialect.access("uix_registered_entries_entry_id")
        try ValueLists.each(wanted.sorted().map { .text($0) }, padding: .null) { condition, values in
            rowIDs += try connection.numbers(
                "SELECT e.id FROM registered_entries AS e\(byID) WHERE e.entry_id \(condition)", values)
        }
        var found = try fetchEntries(rowIDs: rowIDs.sorted(), on: connection).records
        if pool.dialect.comparesLoosely {
            let all = found
            found.records.removeAll { !wanted.contains(all.text($0.id)) }
        }
        return found
    }

    package func listEntries(_ filter: EntryFilter, page: PageRequest?) async throws -> Page<RegistrationEntry> {
        let range = try RowRange(page, pool.dialect)
        return try await pool.read { [self] connection in
            let rows = try rows(filter, range, on: connection)
            return Page(rows.entries, nextToken: range.nextToken(rows.ids.last))
        }
    }

    package func listEntryRecords(
        _ filter: EntryFilter, page: PageRequest?
    ) async throws -> (entries: EntryRecords, nextToken: String) {
        let range = try RowRange(page, pool.dialect)
        return try await pool.read { [self] connection in
            let rows = try rows(filter, range, on: connection)
            return (rows.records, range.nextToken(rows.ids.last))
        }
    }

    /// Entries in one piece of a listing.
    private static let foldPiece = 1000

    package func foldEntries<Result: Sendable>(
        _ filter: EntryFilter, page: PageRequest?, into initial: Result,
        _ add: @escaping @Sendable (inout Result, EntryRecords) throws -> Void
    ) async throws -> (result: Result, nextToken: String) {
        let range = try RowRange(page, pool.dialect)
        // Conditions on other tables would be worked out anew for each piece; such listings are short anyway.
        let isCut = filter.selectors == nil && filter.federatesWith == nil
        guard isCut, range.limit ?? .max > Self.foldPiece else {
            return try await pool.read { [self] connection in
                let rows = try rows(filter, range, on: connection)
                var result = initial
                if !rows.ids.isEmpty { try add(&result, rows.records) }
                return (result, range.nextToken(rows.ids.last))
            }
        }
        return try await pool.read { [self] connection in
            let fold = FoldBeside(initial, add)
            var last: Int64?
            do {
                last = try readPieces(filter, range, on: connection) { try fold.put($0) }
            } catch is CancellationError {
                // `finish` knows better.
            }
            return (try fold.finish(), range.nextToken(last))
        }
    }

    /// - Returns: the row id of the last entry.
    private func readPieces(
        _ filter: EntryFilter, _ whole: RowRange, on connection: any SQLConnection,
        _ each: (EntryRecords) throws -> Void
    ) throws -> Int64? {
        var range = whole
        var last: Int64?
        while true {
            var piece = range
            piece.limit = min(Self.foldPiece, range.limit ?? .max)
            let rows = try rows(filter, piece, on: connection)
            last = rows.ids.last ?? last
            if !rows.ids.isEmpty { try each(rows.records) }
            guard rows.ids.count == piece.limit else { return last }
            range.after = last
            range.limit = range.limit.map { $0 - rows.ids.count }
            if range.limit == 0 { return last }
        }
    }

    private func rows(
        _ filter: EntryFilter, _ range: RowRange, on connection: any SQLConnection
    ) throws -> EntryRows {
        var rows = EntryRows()
        guard let query = try EntryQuery.make(filter, range, on: connection, pool.dialect) else { return rows }
        try connection.query(query.sql, query.values) { try rows.add($0) }
        try rows.complete(connection, pool.dialect)
        return rows
    }

    package func countEntries(_ filter: EntryFilter) async throws -> Int {
        let everything = try RowRange(nil, pool.dialect)
        return try await pool.read { [self] connection in
            let query = try EntryQuery.make(filter, everything, counting: true, on: connection, pool.dialect)
            guard let query else { return 0 }
            return Int(try connection.number(query.sql, query.values) ?? 0)
        }
    }

    // MARK: Inside transactions

    /// - Parameter locked: Keeps others from changing it until the transaction ends; only where one may write.
    func fetchEntry(
        id: String, locked: Bool = false, on connection: any SQLConnection
    ) throws -> (rowID: Int64, entry: RegistrationEntry)? {
        var rows = EntryRows()
        let sql = entryStatements.byEntryID + (locked ? pool.dialect.rowLock : "")
        try connection.query(sql, [.text(id)]) { try rows.add($0) }
        try rows.complete(connection, pool.dialect)
        guard let rowID = rows.ids.first, let entry = rows.entries.first else { return nil }
        if pool.dialect.comparesLoosely, entry.id != id { return nil }
        return (rowID, entry)
    }

    /// - Parameter rowIDs: Ascending.
    func fetchEntries(rowIDs: [Int64], on connection: any SQLConnection) throws -> EntryRows {
        var rows = EntryRows()
        let byRow = pool.dialect.access(nil)
        try ValueLists.each(rowIDs.map { .integer($0) }, padding: .integer(Int64(-1))) { condition, values in
            try connection.query(
                """
                SELECT \(EntryStatements.columns) FROM registered_entries AS e\(byRow) \
                WHERE e.id \(condition) ORDER BY e.id
                """, values
            ) { try rows.add($0) }
        }
        try rows.complete(connection, pool.dialect)
        return rows
    }
}
