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
    /// The last SPIFFE ID found to be that of many entries: those made together often have it in common.
    var commonSPIFFEID: String?

    private var statements: EntryStatements { store.entryStatements }

    /// The event is left to the caller, who may have many.
    /// - Parameter entry: Validated, with its id chosen.
    mutating func callAsFunction(_ entry: RegistrationEntry) throws -> EntryCreation {
        var search = SimilarEntry(
            entry: entry, statements: statements, connection: connection,
            comparesLoosely: store.pool.dialect.comparesLoosely, isCommon: entry.spiffeID == commonSPIFFEID)
        let similar = try search.find()
        if search.isCommon { commonSPIFFEID = entry.spiffeID }
        if let similar, let found = try store.fetchEntries(rowIDs: [similar], on: connection).entries.first {
            return .similar(found)
        }
        // Looked up before anything is written: most refusals then leave nothing to undo.
        var federated: [Int64] = []
        for trustDomainID in entry.federatesWith {
            let bundle = try bundleRow(trustDomainID)
            if !federated.contains(bundle) { federated.append(bundle) }
        }
        let rowID = try connection.insert(statements.insert.one, try store.insertValues(entry, now))
        try store.insertSelectors(entry.selectors, rowID, now, on: connection)
        try store.insertDNSNames(entry.dnsNames, rowID, now, on: connection)
        try store.insertFederated(federated, rowID, on: connection)
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
    /// The row of a new entry, for `EntryStatements.insert`.
    func insertValues(_ entry: RegistrationEntry, _ now: SQLTime) throws -> [SQLValue] {
        [
            .time(now), .time(now), .text(entry.id), .text(entry.spiffeID), .text(entry.parentID),
            .integer(entry.x509SVIDTTL), .bool(entry.admin), .bool(entry.downstream), .integer(entry.expiresAt),
            .integer(Int64(0)), .bool(entry.storeSVID), .text(entry.hint), .integer(entry.jwtSVIDTTL),
            try AttributesBlob.encode(entry.additionalAttributes),
        ]
    }

    func insertSelectors(
        _ selectors: [Selector], _ rowID: Int64, _ now: SQLTime, on connection: any SQLConnection
    ) throws {
        try connection.insert(
            selectors.flatMap { [.time(now), .time(now), .integer(rowID), .text($0.type), .text($0.value)] },
            by: entryStatements.insertSelectors)
    }

    func insertDNSNames(_ names: [String], _ rowID: Int64, _ now: SQLTime, on connection: any SQLConnection) throws {
        try connection.insert(
            names.flatMap { [.time(now), .time(now), .integer(rowID), .text($0)] }, by: entryStatements.insertDNSNames)
    }

    func insertFederated(_ bundles: [Int64], _ rowID: Int64, on connection: any SQLConnection) throws {
        try connection.insert(
            bundles.flatMap { [.integer($0), .integer(rowID)] }, by: entryStatements.insertFederated)
    }

    func insertEntryEvents(_ ids: [String], _ now: SQLTime, on connection: any SQLConnection) throws {
        try connection.insert(
            ids.flatMap { [.time(now), .time(now), .text($0)] }, by: entryStatements.insertEvents)
    }

    /// - Throws: `unknown` naming the trust domain when it has no bundle.
    func bundleRowID(_ trustDomainID: String, on connection: any SQLConnection) throws -> Int64 {
        guard let row = try connection.number(bundleStatements.rowID, [.text(trustDomainID)]) else {
            throw StoreFailure.sql("unable to find federated bundle \"\(trustDomainID)\"")
        }
        return row
    }
}
