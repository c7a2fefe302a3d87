// SPDX-License-Identifier: Apache-2.0

package import Datastore
package import Groundwork

extension SQLDatastore: EntryWriter {
    package func createEntry(_ entry: RegistrationEntry) async throws -> EntryCreation {
        let entry = try prepared(entry) { random.uuid() }
        let now = now()
        return try await change { [self] connection, _ in
            try connection.serialize(on: [SerialKey.entry(entry)])
            var create = CreateEntry(store: self, connection: connection, now: now)
            let creation = try create(entry)
            if case .created(let created) = creation {
                try insertEntryEvents([created.id], now, on: connection)
            }
            return creation
        }
    }

    package func createEntries(
        _ entries: [RegistrationEntry]
    ) async throws -> [Result<EntryCreation, SpireError>] {
        if entries.isEmpty { return [] }
        let now = now()
        let first = random.next()
        let prepared = entries.map { entry -> Result<RegistrationEntry, SpireError> in
            do {
                return .success(try self.prepared(entry) { random.uuid(beginningAs: first) })
            } catch {
                return .failure(error as? SpireError ?? SpireError(.unknown, "datastore-sql: \(error)"))
            }
        }
        let keys =
            pool.dialect.isRemote ? prepared.compactMap { entry in (try? entry.get()).map(SerialKey.entry) } : []
        return try await change { [self] connection, mode in
            try connection.serialize(on: keys)
            let results =
                try together(prepared, now, connection, mode) ?? oneByOne(prepared, now, connection, mode)
            let created: [String] = results.compactMap { result in
                if case .success(.created(let entry)) = result { entry.id } else { nil }
            }
            try insertEntryEvents(created, now, on: connection)
            return results
        }
    }

    /// - Returns: `nil` when that is not the way.
    private func together(
        _ entries: [Result<RegistrationEntry, SpireError>], _ now: SQLTime, _ connection: any SQLConnection,
        _ mode: WriteMode
    ) throws -> [Result<EntryCreation, SpireError>]? {
        guard mode == .shared, entries.count >= CreateEntries.fewest else { return nil }
        do {
            return try CreateEntries(store: self, connection: connection, now: now)(entries)
        } catch let failure as SQLFailure where !failure.isOfTheTransaction {
            // One of them cannot be; which one shows when each stands for itself.
            throw WriteAlone()
        }
    }

    private func oneByOne(
        _ entries: [Result<RegistrationEntry, SpireError>], _ now: SQLTime, _ connection: any SQLConnection,
        _ mode: WriteMode
    ) throws -> [Result<EntryCreation, SpireError>] {
        var create = CreateEntry(store: self, connection: connection, now: now)
        return try entries.map { entry in try separately(connection, mode) { try create(try entry.get()) } }
    }

    /// Runs one of many operations of a transaction such that its failure leaves nothing of it behind and does not
    /// concern the others.
    func separately<Value>(
        _ connection: any SQLConnection, _ mode: WriteMode, _ body: () throws -> Value
    ) throws -> Result<Value, SpireError> {
        // Savepoints cost a copy of each page touched, so they are made only after a first attempt without failed.
        if mode == .alone { try connection.execute("SAVEPOINT one", []) }
        let before = connection.changeCount
        do {
            let value = try body()
            if mode == .alone { try connection.execute("RELEASE SAVEPOINT one", []) }
            return .success(value)
        } catch {
            let clean = connection.changeCount == before && !connection.isAborted
            guard connection.isInTransaction, clean || mode == .alone, !(error is CancellationError),
                (error as? SQLFailure)?.isOfTheTransaction != true
            else { throw error }
            if mode == .alone {
                try connection.execute("ROLLBACK TO SAVEPOINT one", [])
                try connection.execute("RELEASE SAVEPOINT one", [])
            }
            let mapped = StoreFailure.mapped(error)
            return .failure(mapped as? SpireError ?? SpireError(.unknown, "datastore-sql: \(mapped)"))
        }
    }

    private func prepared(_ entry: RegistrationEntry, _ newID: () -> String) throws -> RegistrationEntry {
        try EntryValidation.checkNew(entry)
        var entry = entry
        if entry.id.isEmpty { entry.id = newID() }
        return entry
    }

    package func updateEntry(
        _ entry: RegistrationEntry, fields: EntryFields
    ) async throws -> RegistrationEntry {
        try EntryValidation.checkUpdated(entry, fields)
        let now = now()
        return try await change { [self] connection, _ in
            try UpdateEntry(store: self, connection: connection, now: now)(entry, fields)
        }
    }

    @discardableResult
    package func deleteEntry(id: String) async throws -> RegistrationEntry {
        let now = now()
        return try await change { [self] connection, _ in
            guard let (rowID, entry) = try fetchEntry(id: id, locked: true, on: connection) else {
                throw StoreFailure.recordNotFound
            }
            try removeEntry(entry.id, rowID, now, on: connection)
            return entry
        }
    }

    package func pruneEntries(expiredBefore now: Int64) async throws -> [RegistrationEntry] {
        let stamp = self.now()
        var pruned: [RegistrationEntry] = []
        while true {
            let batch: [RegistrationEntry] = try await change { [self] connection, _ in
                let rowIDs = try connection.numbers(
                    entryStatements.expired, [.integer(now), .integer(Self.pruneBatch)])
                let rows = try fetchEntries(rowIDs: rowIDs, on: connection)
                let entries = rows.entries
                for (rowID, entry) in zip(rows.ids, entries) {
                    try removeEntry(entry.id, rowID, stamp, on: connection)
                }
                return entries
            }
            pruned += batch
            if batch.count < Int(Self.pruneBatch) { return pruned }
        }
    }

    /// Short transactions, so that other writers get in between.
    private static let pruneBatch: Int64 = 500

    /// Removes a row with everything that hangs on it and records the change.
    func removeEntry(_ id: String, _ rowID: Int64, _ now: SQLTime, on connection: any SQLConnection) throws {
        let row: [SQLValue] = [.integer(rowID)]
        try connection.execute(entryStatements.deleteFederated, row)
        try connection.execute(entryStatements.deleteSelectors, row)
        try connection.execute(entryStatements.deleteDNSNames, row)
        try connection.execute(entryStatements.delete, row)
        try insertEntryEvents([id], now, on: connection)
    }
}
