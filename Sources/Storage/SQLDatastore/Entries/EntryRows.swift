// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Entries read from their rows, with what other tables hold about them filled in afterwards: one pass over each
/// table, merged by row id.
struct EntryRows {
    private(set) var ids: [Int64] = []
    private(set) var records = EntryRecords()
    private var lastParent = EntryRecords.Place()

    /// The entries as objects, made anew.
    var entries: [RegistrationEntry] { records.entries }

    /// Adds the row of a query over `EntryStatements.columns`. Rows come in ascending order of id.
    mutating func add(_ row: any SQLRow) throws {
        var record = EntryRecords.Record()
        ids.append(row.integer(0))
        record.id = put(row, 1)
        record.spiffeID = put(row, 2)
        record.parentID = put(row, 3, unless: lastParent)
        lastParent = record.parentID
        record.x509SVIDTTL = Int32(truncatingIfNeeded: row.integer(4))
        record.jwtSVIDTTL = Int32(truncatingIfNeeded: row.integer(5))
        record.admin = row.bool(6)
        record.downstream = row.bool(7)
        record.storeSVID = row.bool(8)
        record.hint = put(row, 9)
        record.expiresAt = row.integer(10)
        record.revisionNumber = row.integer(11)
        record.createdAt = row.time(12) ?? 0
        if !row.isNull(13) { record.additionalAttributes = try AttributesBlob.decode(row.blob(13)) }
        records.records.append(record)
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
        var type = EntryRecords.Place()
        var selectors = Merge()
        try connection.query(
            """
            SELECT s.registered_entry_id, s.id, s.type, s.value FROM selectors AS s\
            \(dialect.access("idx_selector_entry")) WHERE \(restricted("s.registered_entry_id"))
            """, values
        ) { row in
            if selectors.begins(row.integer(0)) { endSelectors(&selectors) }
            selectors.add(row.integer(0), order: row.integer(1))
            type = put(row, 2, unless: type)
            records.selectors.append((type, put(row, 3)))
        }
        endSelectors(&selectors)

        var names = Merge()
        try connection.query(
            """
            SELECT d.registered_entry_id, d.id, d.value FROM dns_names AS d\(dialect.access("idx_dns_entry")) \
            WHERE \(restricted("d.registered_entry_id"))
            """, values
        ) { row in
            if names.begins(row.integer(0)) { endNames(&names) }
            names.add(row.integer(0), order: row.integer(1))
            records.texts.append(put(row, 2))
        }
        endNames(&names)

        var domains = Merge()
        var domain = EntryRecords.Place()
        let byEntry = dialect.access("idx_federated_registration_entries_registered_entry_id")
        try connection.query(
            """
            SELECT f.registered_entry_id, f.bundle_id, b.trust_domain FROM federated_registration_entries AS f\
            \(byEntry) \(dialect.orderedJoin) bundles AS b\(dialect.access(nil)) ON b.id = f.bundle_id \
            WHERE \(restricted("f.registered_entry_id"))
            """, values
        ) { row in
            if domains.begins(row.integer(0)) { endDomains(&domains) }
            domains.add(row.integer(0), order: row.integer(1))
            domain = put(row, 2, unless: domain)
            records.texts.append(domain)
        }
        endDomains(&domains)
    }

    // Give the values that were read last to their entry. Rows of deleted entries may be left behind by the original; they
    // find no entry here.

    private mutating func endSelectors(_ merge: inout Merge) {
        let index = position(of: merge.owner)
        let range = merge.end(&records.selectors, isWanted: index != nil)
        if let index { records.records[index].selectors = range }
    }

    private mutating func endNames(_ merge: inout Merge) {
        let index = position(of: merge.owner)
        let range = merge.end(&records.texts, isWanted: index != nil)
        if let index { records.records[index].dnsNames = range }
    }

    private mutating func endDomains(_ merge: inout Merge) {
        let index = position(of: merge.owner)
        let range = merge.end(&records.texts, isWanted: index != nil)
        if let index { records.records[index].federatesWith = range }
    }

    private mutating func put(_ row: any SQLRow, _ column: Int) -> EntryRecords.Place {
        unsafe records.put(row.bytes(column))
    }

    private mutating func put(_ row: any SQLRow, _ column: Int, unless known: EntryRecords.Place) -> EntryRecords.Place {
        unsafe records.put(row.bytes(column), unless: known)
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

/// Whose values are being read, and whether they come in the order they were stored.
private struct Merge {
    private(set) var owner: Int64 = 0
    private var orders: [Int64] = []
    private var isOrdered = true

    /// Whether the next value belongs to another entry than those before.
    func begins(_ id: Int64) -> Bool { id != owner && !orders.isEmpty }

    mutating func add(_ id: Int64, order: Int64) {
        owner = id
        if let last = orders.last, last > order { isOrdered = false }
        orders.append(order)
    }

    /// - Parameter values: End with those of the owner. They are put in order, or taken away if they are not wanted.
    /// - Returns: where they stand.
    mutating func end<Value>(_ values: inout [Value], isWanted: Bool) -> Range<Int> {
        let first = values.count - orders.count
        if !isWanted {
            values.removeLast(orders.count)
        } else if !isOrdered {
            let mixed = Array(values[first...])
            let sorted = orders.indices.sorted { orders[$0] < orders[$1] }
            values.replaceSubrange(first..., with: sorted.map { mixed[$0] })
        }
        isOrdered = true
        orders.removeAll(keepingCapacity: true)
        return first..<values.count
    }
}
