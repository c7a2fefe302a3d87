// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

/// Creates many entries with a number of statements that hardly grows with them: over a network each is a round trip.
///
/// Gives up, with nothing written, where entries cannot be looked at together; they are then created one by one. A
/// statement that fails ends the transaction, after which the same happens.
struct CreateEntries {
    let store: SQLDatastore
    let connection: any SQLConnection
    let now: SQLTime

    /// Fewer are as well created one by one.
    static let fewest = 4
    /// Most rows looked at for entries of the same kind.
    private static let candidateLimit = 4096

    private struct Key: Hashable {
        var spiffeID: String
        var parentID: String
        var selectors: Set<Selector>

        init(_ entry: RegistrationEntry) {
            spiffeID = entry.spiffeID
            parentID = entry.parentID
            selectors = Set(entry.selectors)
        }
    }

    /// - Parameter entries: Validated, with ids chosen; or why they were refused.
    /// - Returns: one result an entry, in order; `nil` when one by one is the way.
    func callAsFunction(
        _ entries: [Result<RegistrationEntry, SpireError>]
    ) throws -> [Result<EntryCreation, SpireError>]? {
        let valid = entries.compactMap { try? $0.get() }
        guard let existing = try similar(to: valid) else { return nil }
        let bundles = try bundleRows(Set(valid.flatMap(\.federatesWith)))
        var made: [Key: RegistrationEntry] = [:]
        var rows: [RegistrationEntry] = []
        let results = entries.map { entry in
            entry.flatMap { entry -> Result<EntryCreation, SpireError> in
                let key = Key(entry)
                if let similar = existing[key] ?? made[key] { return .success(.similar(similar)) }
                for trustDomainID in entry.federatesWith where bundles[trustDomainID] == nil {
                    return .failure(StoreFailure.sql("unable to find federated bundle \"\(trustDomainID)\""))
                }
                var created = entry
                created.revisionNumber = 0
                created.createdAt = now.seconds
                made[key] = created
                rows.append(created)
                return .success(.created(created))
            }
        }
        try insert(rows, bundles)
        return results
    }

    private func similar(to entries: [RegistrationEntry]) throws -> [Key: RegistrationEntry]? {
        let wanted = Set(entries.map(Key.init))
        let bySPIFFEID = store.pool.dialect.access("idx_registered_entries_spiffe_id")
        var candidates: Set<Int64> = []
        var seen = 0
        let parents = Set(entries.map(\.parentID))
        try ValueLists.each(Set(entries.map(\.spiffeID)).sorted().map { .text($0) }, padding: .null) { condition, values in
            guard seen <= Self.candidateLimit else { return }
            try connection.query(
                """
                SELECT e.id, e.parent_id FROM registered_entries AS e\(bySPIFFEID) WHERE e.spiffe_id \(condition) LIMIT ?
                """, values + [.integer(Int64(Self.candidateLimit + 1))]
            ) { row in
                seen += 1
                if parents.contains(row.text(1)) { candidates.insert(row.integer(0)) }
            }
        }
        guard seen <= Self.candidateLimit else { return nil }
        var found: [Key: RegistrationEntry] = [:]
        for entry in try store.fetchEntries(rowIDs: candidates.sorted(), on: connection).entries {
            let key = Key(entry)
            if wanted.contains(key), found[key] == nil { found[key] = entry }
        }
        return found
    }

    private func bundleRows(_ trustDomainIDs: Set<String>) throws -> [String: Int64] {
        var rows: [String: Int64] = [:]
        try ValueLists.each(trustDomainIDs.sorted().map { .text($0) }, padding: .null) { condition, values in
            try connection.query("SELECT id, trust_domain FROM bundles WHERE trust_domain \(condition)", values) { row in
                rows[row.text(1)] = row.integer(0)
            }
        }
        return rows
    }

    private func insert(_ entries: [RegistrationEntry], _ bundles: [String: Int64]) throws {
        let statements = store.entryStatements
        try connection.insertMany(statements.insertHead, try entries.map { try store.insertValues($0, now) })
        var ids: [String: Int64] = [:]
        let byID = store.pool.dialect.access("uix_registered_entries_entry_id")
        try ValueLists.each(entries.map { .text($0.id) }, padding: .null) { condition, values in
            try connection.query(
                "SELECT e.id, e.entry_id FROM registered_entries AS e\(byID) WHERE e.entry_id \(condition)", values
            ) { row in ids[row.text(1)] = row.integer(0) }
        }
        var selectors: [[SQLValue]] = []
        var names: [[SQLValue]] = []
        var federated: [[SQLValue]] = []
        for entry in entries {
            guard let row = ids[entry.id] else { throw StoreFailure.sql("an entry that was created is not there") }
            selectors += entry.selectors.map { [.time(now), .time(now), .integer(row), .text($0.type), .text($0.value)] }
            names += entry.dnsNames.map { [.time(now), .time(now), .integer(row), .text($0)] }
            federated += Set(entry.federatesWith.compactMap { bundles[$0] }).sorted().map { [.integer($0), .integer(row)] }
        }
        try connection.insertMany(statements.insertSelector, selectors)
        try connection.insertMany(statements.insertDNSName, names)
        try connection.insertMany(statements.insertFederated, federated)
    }
}
