// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

/// Creates one entry within a transaction that may hold others.
struct CreateEntry {
    let store: SQLDatastore
    let connection: any SQLConnection
    let now: SQLTime
    /// Ids of bundles looked up so far in this transaction.
    var bundles: [String: Int64] = [:]

    private var statements: EntryStatements { store.entryStatements }

    /// - Parameter entry: Validated, with its id chosen.
    mutating func callAsFunction(_ entry: RegistrationEntry) throws -> EntryCreation {
        let similar = try SimilarEntry(entry: entry, statements: statements, connection: connection).find()
        if let similar, let found = try store.fetchEntries(rowIDs: [similar], on: connection).entries.first {
            return .similar(found)
        }
        // Looked up before anything is written: most refusals then leave nothing to undo.
        var federated: [Int64] = []
        for trustDomainID in entry.federatesWith {
            let bundle = try bundleRow(trustDomainID)
            if !federated.contains(bundle) { federated.append(bundle) }
        }
        let rowID = try connection.insert(
            statements.insert,
            [
                .time(now), .time(now), .text(entry.id), .text(entry.spiffeID), .text(entry.parentID),
                .integer(entry.x509SVIDTTL), .bool(entry.admin), .bool(entry.downstream), .integer(entry.expiresAt),
                .integer(Int64(0)), .bool(entry.storeSVID), .text(entry.hint), .integer(entry.jwtSVIDTTL),
                try AttributesBlob.encode(entry.additionalAttributes),
            ])
        try store.insertSelectors(entry.selectors, rowID, now, on: connection)
        try store.insertDNSNames(entry.dnsNames, rowID, now, on: connection)
        for bundle in federated {
            try connection.execute(statements.insertFederated, [.integer(bundle), .integer(rowID)])
        }
        try store.insertEntryEvent(entry.id, now, on: connection)
        var created = entry
        created.revisionNumber = 0
        created.createdAt = now.seconds
        return .created(created)
    }

    private mutating func bundleRow(_ trustDomainID: String) throws -> Int64 {
        if let known = bundles[trustDomainID] { return known }
        let found = try store.bundleRowID(trustDomainID, on: connection)
        bundles[trustDomainID] = found
        return found
    }
}

extension SQLDatastore {
    func insertSelectors(
        _ selectors: [Selector], _ rowID: Int64, _ now: SQLTime, on connection: any SQLConnection
    ) throws {
        for selector in selectors {
            try connection.execute(
                entryStatements.insertSelector,
                [.time(now), .time(now), .integer(rowID), .text(selector.type), .text(selector.value)])
        }
    }

    func insertDNSNames(_ names: [String], _ rowID: Int64, _ now: SQLTime, on connection: any SQLConnection) throws {
        for name in names {
            try connection.execute(
                entryStatements.insertDNSName, [.time(now), .time(now), .integer(rowID), .text(name)])
        }
    }

    func insertEntryEvent(_ id: String, _ now: SQLTime, on connection: any SQLConnection) throws {
        try connection.execute(entryStatements.insertEvent, [.time(now), .time(now), .text(id)])
    }

    /// - Throws: `unknown` naming the trust domain when it has no bundle.
    func bundleRowID(_ trustDomainID: String, on connection: any SQLConnection) throws -> Int64 {
        guard let row = try connection.number(bundleStatements.rowID, [.text(trustDomainID)]) else {
            throw StoreFailure.sql("unable to find federated bundle \"\(trustDomainID)\"")
        }
        return row
    }
}
