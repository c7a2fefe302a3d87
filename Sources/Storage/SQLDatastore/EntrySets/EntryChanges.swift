// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

/// Makes changes of entries that must still be at a certain revision, within one transaction.
struct EntryChanges {
    private let store: SQLDatastore
    private let connection: any SQLConnection
    private let now: SQLTime
    private var create: CreateEntry

    init(store: SQLDatastore, connection: any SQLConnection, now: SQLTime) {
        self.store = store
        self.connection = connection
        self.now = now
        create = CreateEntry(store: store, connection: connection, now: now)
    }

    /// Checks what can be checked without the database, and chooses ids.
    static func checked(_ change: EntryChange, newID: () -> String) throws -> EntryChange {
        func new(_ entry: RegistrationEntry) throws -> RegistrationEntry {
            try EntryValidation.checkNew(entry)
            var entry = entry
            if entry.id.isEmpty { entry.id = newID() }
            return entry
        }
        switch change {
        case .create(let entry): return .create(try new(entry))
        case .replace(let id, let revision, let entry):
            return .replace(id: id, expectedRevision: revision, with: try new(entry))
        case .update(let entry, let fields, _):
            try EntryValidation.checkUpdated(entry, fields)
            return change
        case .delete: return change
        }
    }

    mutating func callAsFunction(_ change: EntryChange) throws -> EntryChangeOutcome {
        switch change {
        case .create(let entry): return try created(entry)
        case .update(let entry, let fields, let revision):
            guard let found = try store.fetchEntry(id: entry.id, on: connection) else { return .gone }
            guard found.entry.revisionNumber == revision else { return .stale(found.entry) }
            return .done(try UpdateEntry(store: store, connection: connection, now: now)(entry, fields))
        case .delete(let id, let revision):
            guard let found = try store.fetchEntry(id: id, on: connection) else { return .gone }
            guard found.entry.revisionNumber == revision else { return .stale(found.entry) }
            try store.removeEntry(id, found.rowID, now, on: connection)
            return .done(found.entry)
        case .replace(let id, let revision, let entry):
            guard let found = try store.fetchEntry(id: id, on: connection) else { return .gone }
            guard found.entry.revisionNumber == revision else { return .stale(found.entry) }
            try store.removeEntry(id, found.rowID, now, on: connection)
            // The deletion is undone with it when the new entry cannot be made.
            switch try created(entry) {
            case .similar(let other): throw Self.unreplaceable(other)
            case let outcome: return outcome
            }
        }
    }

    private mutating func created(_ entry: RegistrationEntry) throws -> EntryChangeOutcome {
        switch try create(entry) {
        case .created(let made):
            try store.insertEntryEvents([made.id], now, on: connection)
            return .done(made)
        case .similar(let other): return .similar(other)
        }
    }

    private static func unreplaceable(_ other: RegistrationEntry) -> SpireError {
        SpireError(
            .alreadyExists, "datastore-sql: entry \(other.id) has the same SPIFFE ID, parent and selectors as well")
    }
}
