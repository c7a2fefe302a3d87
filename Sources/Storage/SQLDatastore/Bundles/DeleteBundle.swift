// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

/// Deletes a bundle within a transaction, with what its mode says about entries that federate with it.
struct DeleteBundle {
    let store: SQLDatastore
    let connection: any SQLConnection
    let now: SQLTime

    func callAsFunction(_ trustDomainID: String, _ mode: BundleDeletion) throws {
        let statements = store.bundleStatements
        guard let bundle = try connection.number(statements.rowID + statements.lock, [.text(trustDomainID)]) else {
            throw StoreFailure.recordNotFound
        }
        let rows = try connection.numbers(statements.federatedEntries, [.integer(bundle)])
        if mode == .restrict, !rows.isEmpty {
            throw SpireError(
                .failedPrecondition,
                "datastore-sql: cannot delete bundle; federated with \(rows.count) registration entries")
        }
        let entries = try store.fetchEntries(rowIDs: rows, on: connection)
        for (rowID, entry) in zip(entries.ids, entries.entries) {
            // The original leaves no event here, so its caches learn only at the next full load.
            if mode == .delete {
                try store.removeEntry(entry.id, rowID, now, on: connection)
            } else {
                try store.insertEntryEvents([entry.id], now, on: connection)
            }
        }
        try connection.execute(statements.deleteFederated, [.integer(bundle)])
        try connection.execute(statements.delete, [.integer(bundle)])
    }
}
