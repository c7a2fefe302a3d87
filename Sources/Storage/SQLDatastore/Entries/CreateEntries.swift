// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

/// Creates many entries with a number of statements that hardly grows with them: over a network each is a round trip,
/// and each begins with a look at where it will write.
///
/// Gives up, with nothing written, where entries cannot be looked at together; they are then created one by one. A
/// statement that fails ends the transaction, after which the same happens.
struct CreateEntries {
    let store: SQLDatastore
    let connection: any SQLConnection
    let now: SQLTime

    /// Fewer are as well created one by one.
    static let fewest = 4
    /// Most rows looked at for entries of the same kind: a few round trips' worth, or of a file, what one by one costs.
    private var candidateLimit: Int { store.pool.dialect.isRemote ? 4096 : 256 }

    /// Entries of one SPIFFE ID and parent. Nearly always there is one.
    private struct Kin {
        private var first: (selectors: Set<Selector>, entry: RegistrationEntry)?
        private var others: [Set<Selector>: RegistrationEntry] = [:]

        func similar(to selectors: Set<Selector>) -> RegistrationEntry? {
            first?.selectors == selectors ? first?.entry : others[selectors]
        }

        mutating func add(_ entry: RegistrationEntry, _ selectors: Set<Selector>) {
            if first == nil { first = (selectors, entry) } else { others[selectors] = entry }
        }
    }

    private struct Key: Hashable {
        var spiffeID: String
        var parentID: String

        init(_ entry: RegistrationEntry) {
            spiffeID = entry.spiffeID
            parentID = entry.parentID
        }
    }

    /// - Parameter entries: Validated, with ids chosen; or why they were refused.
    /// - Returns: one result an entry, in order; `nil` when one by one is the way.
    func callAsFunction(
        _ entries: [Result<RegistrationEntry, SpireError>]
    ) throws -> [Result<EntryCreation, SpireError>]? {
        let valid = entries.compactMap { try? $0.get() }
        guard var known = try stored(like: valid) else { return nil }
        let bundles = try bundleRows(Set(valid.flatMap(\.federatesWith)))
        var rows: [RegistrationEntry] = []
        rows.reserveCapacity(valid.count)
        let results = entries.map { entry in
            entry.flatMap { entry -> Result<EntryCreation, SpireError> in
                let selectors = Set(entry.selectors)
                let key = Key(entry)
                if let similar = known[key]?.similar(to: selectors) { return .success(.similar(similar)) }
                for trustDomainID in entry.federatesWith where bundles[trustDomainID] == nil {
                    return .failure(StoreFailure.sql("unable to find federated bundle \"\(trustDomainID)\""))
                }
                var created = entry
                created.revisionNumber = 0
                created.createdAt = now.seconds
                known[key, default: Kin()].add(created, selectors)
                rows.append(created)
                return .success(.created(created))
            }
        }
        try insert(rows, bundles)
        return results
    }

    /// The stored entries that have SPIFFE ID and parent of one of `entries`; `nil` for too many to look at.
    private func stored(like entries: [RegistrationEntry]) throws -> [Key: Kin]? {
        let bySPIFFEID = store.pool.dialect.access("idx_registered_entries_spiffe_id")
        let limit = candidateLimit
        var candidates: Set<Int64> = []
        var seen = 0
        let parents = Set(entries.map(\.parentID))
        try ValueLists.each(Set(entries.map(\.spiffeID)).sorted().map { .text($0) }, padding: .null) { condition, values in
            guard seen <= limit else { return }
            try connection.query(
                """
                SELECT e.id, e.parent_id FROM registered_entries AS e\(bySPIFFEID) WHERE e.spiffe_id \(condition) LIMIT ?
                """, values + [.integer(Int64(limit + 1))]
            ) { row in
                seen += 1
                if parents.contains(row.text(1)) { candidates.insert(row.integer(0)) }
            }
        }
        guard seen <= limit else { return nil }
        var found: [Key: Kin] = [:]
        if candidates.isEmpty { return found }
        let wanted = Set(entries.map(Key.init))
        // The oldest of several comes first, as where each is looked up for itself.
        for entry in try store.fetchEntries(rowIDs: candidates.sorted(), on: connection).entries {
            let key = Key(entry)
            let selectors = Set(entry.selectors)
            if wanted.contains(key), found[key]?.similar(to: selectors) == nil {
                found[key, default: Kin()].add(entry, selectors)
            }
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
        try connection.insert(try entries.flatMap { try store.insertValues($0, now) }, by: statements.insert)
        // Asked for, not counted from the last one: a selector at the wrong row would be another's identity.
        var ids: [String: Int64] = [:]
        ids.reserveCapacity(entries.count)
        let byID = store.pool.dialect.access("uix_registered_entries_entry_id")
        try ValueLists.each(entries.map { .text($0.id) }, padding: .null) { condition, values in
            try connection.query(
                "SELECT e.id, e.entry_id FROM registered_entries AS e\(byID) WHERE e.entry_id \(condition)", values
            ) { row in ids[row.text(1)] = row.integer(0) }
        }
        var selectors: [SQLValue] = []
        var names: [SQLValue] = []
        var federated: [SQLValue] = []
        for entry in entries {
            guard let row = ids[entry.id] else { throw StoreFailure.sql("an entry that was created is not there") }
            for selector in entry.selectors {
                selectors += [.time(now), .time(now), .integer(row), .text(selector.type), .text(selector.value)]
            }
            for name in entry.dnsNames { names += [.time(now), .time(now), .integer(row), .text(name)] }
            for bundle in Set(entry.federatesWith.compactMap { bundles[$0] }).sorted() {
                federated += [.integer(bundle), .integer(row)]
            }
        }
        try connection.insert(selectors, by: statements.insertSelectors)
        try connection.insert(names, by: statements.insertDNSNames)
        try connection.insert(federated, by: statements.insertFederated)
    }
}
