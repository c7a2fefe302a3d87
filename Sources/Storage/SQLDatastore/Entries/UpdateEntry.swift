// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Changes fields of one entry within a transaction.
struct UpdateEntry {
    let store: SQLDatastore
    let connection: any SQLConnection
    let now: SQLTime

    func callAsFunction(_ wanted: RegistrationEntry, _ fields: EntryFields) throws -> RegistrationEntry {
        guard let (rowID, stored) = try store.fetchEntry(id: wanted.id, locked: true, on: connection) else {
            throw StoreFailure.recordNotFound
        }
        var entry = stored.merging(wanted, fields)
        try EntryValidation.checkUpdated(entry, fields)
        entry.revisionNumber += 1
        let statements = store.entryStatements
        try connection.execute(
            statements.update,
            [
                .time(now), .text(entry.spiffeID), .text(entry.parentID), .integer(entry.x509SVIDTTL),
                .bool(entry.admin), .bool(entry.downstream), .integer(entry.expiresAt),
                .integer(entry.revisionNumber), .bool(entry.storeSVID), .text(entry.hint),
                .integer(entry.jwtSVIDTTL), try AttributesBlob.encode(entry.additionalAttributes), .integer(rowID),
            ])
        if fields.contains(.selectors) {
            try connection.execute(statements.deleteSelectors, [.integer(rowID)])
            try store.insertSelectors(entry.selectors, rowID, now, on: connection)
        }
        if fields.contains(.dnsNames) {
            try connection.execute(statements.deleteDNSNames, [.integer(rowID)])
            try store.insertDNSNames(entry.dnsNames, rowID, now, on: connection)
        }
        if fields.contains(.federatesWith) {
            let bundles = Set(try entry.federatesWith.map { try store.bundleRowID($0, on: connection) })
            try connection.execute(statements.deleteFederated, [.integer(rowID)])
            try store.insertFederated(bundles.sorted(), rowID, on: connection)
        }
        try store.insertEntryEvents([entry.id], now, on: connection)
        return entry
    }
}
