// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Entries read from their rows, with what other tables hold about them filled in afterwards: one pass over each
/// table, merged by row id.
struct EntryRows {
    private(set) var ids: [Int64] = []
    private(set) var entries: [RegistrationEntry] = []
    private var lastParent = ""

    /// Adds the row of a query over `EntryStatements.columns`. Rows come in ascending order of id.
    mutating func add(_ row: any SQLRow) throws {
        var entry = RegistrationEntry()
        ids.append(row.integer(0))
        entry.id = row.text(1)
        entry.spiffeID = row.text(2)
        entry.parentID = row.text(3, unless: lastParent)
        lastParent = entry.parentID
        entry.x509SVIDTTL = Int32(truncatingIfNeeded: row.integer(4))
        entry.jwtSVIDTTL = Int32(truncatingIfNeeded: row.integer(5))
        entry.admin = row.bool(6)
        entry.downstream = row.bool(7)
        entry.storeSVID = row.bool(8)
        entry.hint = row.text(9)
        entry.expiresAt = row.integer(10)
        entry.revisionNumber = row.integer(11)
        entry.createdAt = row.time(12) ?? 0
        if !row.isNull(13) { entry.additionalAttributes = try AttributesBlob.decode(row.blob(13)) }
        entries.append(entry)
    }

    /// Fills selectors, DNS names and federated trust domains.
    mutating func complete(_ connection: any SQLConnection, _ dialect: Dialect) throws {
        guard let first = ids.first, let last = ids.last else { return }
        // Consecutive ids are read as one range; scattered ones by lists of fixed lengths, so that few distinct
        // statements exist.
        if last - first < 2 * Int64(ids.count) {
            return try fill(connection, dialect, [.integer(first), .integer(last)]) { "\($0) >= ? AND \($0) <= ?" }
        }
        try ValueLists.each(ids.map { .integer($0) }, padding: .integer(Int64(-1))) { condition, values in
            try fill(connection, dialect, values) { "\($0) \(condition)" }
        }
    }

    private mutating func fill(
        _ connection: any SQLConnection, _ dialect: Dialect, _ values: [SQLValue], _ condition: (String) -> String
    ) throws {
        func restricted(_ column: String) -> String { condition(column) + " ORDER BY " + column }
        var selectors = Merge<Selector>()
        var type = ""
        try connection.query(
            """
            SELECT s.registered_entry_id, s.id, s.type, s.value FROM selectors AS s\
            \(dialect.access("idx_selector_entry")) WHERE \(restricted("s.registered_entry_id"))
            """, values
        ) { row in
            type = row.text(2, unless: type)
            let selector = Selector(type: type, value: row.text(3))
            selectors.add(row.integer(0), order: row.integer(1), selector) { flush($0, $1) { $0.selectors = $1 } }
        }
        selectors.end { flush($0, $1) { $0.selectors = $1 } }

        var names = Merge<String>()
        try connection.query(
            """
            SELECT d.registered_entry_id, d.id, d.value FROM dns_names AS d\(dialect.access("idx_dns_entry")) \
            WHERE \(restricted("d.registered_entry_id"))
            """, values
        ) { row in
            names.add(row.integer(0), order: row.integer(1), row.text(2)) { flush($0, $1) { $0.dnsNames = $1 } }
        }
        names.end { flush($0, $1) { $0.dnsNames = $1 } }

        var domains = Merge<String>()
        var domain = ""
        let byEntry = dialect.access("idx_federated_registration_entries_registered_entry_id")
        try connection.query(
            """
            SELECT f.registered_entry_id, f.bundle_id, b.trust_domain FROM federated_registration_entries AS f\
            \(byEntry) \(dialect.orderedJoin) bundles AS b\(dialect.access(nil)) ON b.id = f.bundle_id \
            WHERE \(restricted("f.registered_entry_id"))
            """, values
        ) { row in
            domain = row.text(2, unless: domain)
            domains.add(row.integer(0), order: row.integer(1), domain) { flush($0, $1) { $0.federatesWith = $1 } }
        }
        domains.end { flush($0, $1) { $0.federatesWith = $1 } }
    }

    /// Rows of deleted entries may be left behind by the original; they find no entry here.
    private mutating func flush<Value>(
        _ id: Int64, _ values: [Value], _ set: (inout RegistrationEntry, [Value]) -> Void
    ) {
        guard let index = position(of: id) else { return }
        set(&entries[index], values)
    }

    private var cursor = 0
    private mutating func position(of id: Int64) -> Int? {
        if cursor >= ids.count || ids[cursor] > id { cursor = 0 }
        if ids[cursor] < id, cursor + 1 < ids.count, ids[cursor + 1] >= id { cursor += 1 }
        if ids[cursor] == id { return cursor }
        var low = 0
        var high = ids.count
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        guard low < ids.count else { return nil }
        cursor = low
        return ids[low] == id ? low : nil
    }
}

/// Collects the values of one entry at a time, in the order they were stored.
private struct Merge<Value> {
    private var owner: Int64 = 0
    private var values: [Value] = []
    private var orders: [Int64] = []
    private var isOrdered = true

    mutating func add(_ id: Int64, order: Int64, _ value: Value, _ flush: (Int64, [Value]) -> Void) {
        if id != owner {
            end(flush)
            owner = id
        }
        if let last = orders.last, last > order { isOrdered = false }
        values.append(value)
        orders.append(order)
    }

    mutating func end(_ flush: (Int64, [Value]) -> Void) {
        if values.isEmpty { return }
        if isOrdered {
            flush(owner, values.map { $0 })
        } else {
            let sorted = orders.indices.sorted { orders[$0] < orders[$1] }
            flush(owner, sorted.map { values[$0] })
        }
        isOrdered = true
        values.removeAll(keepingCapacity: true)
        orders.removeAll(keepingCapacity: true)
    }
}
