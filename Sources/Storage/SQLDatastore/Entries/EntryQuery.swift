// SPDX-License-Identifier: Apache-2.0

import Datastore

/// The statement for a filtered listing or count of entries.
///
/// One condition decides which index the rows come from, chosen here and not by the planner: selectors and federation
/// yield sets of row ids; else SPIFFE ID, parent or hint; else the table in order of id.
struct EntryQuery {
    private(set) var sql = ""
    private(set) var values: [SQLValue] = []

    /// More than any caller means; bounds the size of a statement.
    static let largestSet = 400

    /// - Returns: `nil` when nothing can match.
    static func make(
        _ filter: EntryFilter, _ range: RowRange, counting: Bool = false, on connection: any SQLConnection,
        _ dialect: Dialect
    ) throws -> EntryQuery? {
        var query = EntryQuery()
        var conditions: [String] = []
        var index: String?
        var hasRowSet = false
        func add(_ condition: String, _ bound: [SQLValue]) {
            conditions.append(condition)
            query.values += bound
        }

        if let match = filter.selectors {
            let set = SelectorSet(match)
            guard !set.selectors.isEmpty else { throw StoreFailure.invalid("cannot list by empty selector set") }
            try checkSize(set.selectors.count)
            set.conditions(dialect).forEach { add($0.sql, $0.values) }
            hasRowSet = true
        }
        if let match = filter.federatesWith {
            guard let found = try federation(match, on: connection, dialect) else { return nil }
            found.forEach { add($0.sql, $0.values) }
            hasRowSet = true
        }
        for (column, value) in [
            ("spiffe_id", filter.spiffeID), ("parent_id", filter.parentID), ("hint", filter.hint),
        ] {
            guard let value else { continue }
            if index == nil, !hasRowSet { index = "idx_registered_entries_" + column }
            add("e.\(column) = ?", [.text(value)])
        }
        if filter.downstream == true { add("e.downstream = ?", [.bool(true)]) }
        if let after = range.after {
            // With a row set, the plus keeps the planner from scanning everything above the token instead.
            add(hasRowSet ? "+e.id > ?" : "e.id > ?", [.integer(after)])
        }

        query.sql = "SELECT \(counting ? "COUNT(*)" : EntryStatements.columns) FROM registered_entries AS e"
        // The rows of the smallest index are as many as those of the table, on far fewer pages.
        if counting, conditions.isEmpty { index = "idx_registered_entries_expiry" }
        query.sql += dialect.access(index)
        if !conditions.isEmpty { query.sql += " WHERE " + conditions.joined(separator: " AND ") }
        if !counting {
            query.sql += " ORDER BY e.id"
            if let limit = range.limit {
                query.sql += " LIMIT ?"
                query.values.append(.integer(Int64(limit)))
            }
        }
        return query
    }

    private static func checkSize(_ count: Int) throws {
        if count > largestSet { throw StoreFailure.invalid("cannot list by a set of more than \(largestSet)") }
    }

    private static func federation(
        _ match: FederatesWithMatch, on connection: any SQLConnection, _ dialect: Dialect
    ) throws -> [(sql: String, values: [SQLValue])]? {
        let wanted = Set(match.trustDomainIDs).sorted()
        guard !wanted.isEmpty else { throw StoreFailure.invalid("cannot list by empty trust domain set") }
        try checkSize(wanted.count)
        var bundles: [SQLValue] = []
        for id in wanted {
            let found = try connection.number("SELECT id FROM bundles WHERE trust_domain = ?", [.text(id)])
            if let found { bundles.append(.integer(found)) }
        }
        let needsAll = match.behavior == .exact || match.behavior == .superset
        if bundles.isEmpty || (needsAll && bundles.count < wanted.count) { return nil }
        let marks = [String](repeating: "?", count: bundles.count).joined(separator: ", ")
        var conditions: [(sql: String, values: [SQLValue])] = []
        let rows = "SELECT f.registered_entry_id FROM federated_registration_entries AS f WHERE f.bundle_id"
        if needsAll {
            for bundle in bundles { conditions.append(("e.id IN (\(rows) = ?)", [bundle])) }
        } else {
            conditions.append(("e.id IN (\(rows) IN (\(marks)))", bundles))
        }
        if match.behavior == .exact || match.behavior == .subset {
            let byEntry = dialect.access("idx_federated_registration_entries_registered_entry_id")
            conditions.append(
                (
                    """
                    NOT EXISTS (SELECT 1 FROM federated_registration_entries AS o\(byEntry) \
                    \(dialect.orderedJoin) bundles AS b ON b.id = o.bundle_id \
                    WHERE o.registered_entry_id = e.id AND o.bundle_id NOT IN (\(marks)))
                    """, bundles
                ))
        }
        return conditions
    }
}

/// A requested selector set and the conditions on `e.id` it stands for.
struct SelectorSet {
    var selectors: [Selector]
    var behavior: MatchBehavior

    init(_ match: SelectorMatch) {
        selectors = Set(match.selectors).sorted()
        behavior = match.behavior
    }

    func conditions(_ dialect: Dialect) -> [(sql: String, values: [SQLValue])] {
        let byValue = dialect.access("idx_selectors_type_value")
        let rows = "SELECT s.registered_entry_id FROM selectors AS s\(byValue) WHERE s.type = ? AND s.value = ?"
        var conditions: [(sql: String, values: [SQLValue])] = []
        switch behavior {
        case .any, .subset:
            let union = [String](repeating: rows, count: selectors.count).joined(separator: " UNION ")
            conditions.append(("e.id IN (\(dialect.unionSubquery(union)))", all))
        case .exact, .superset:
            for selector in selectors {
                conditions.append(("e.id IN (\(rows))", [.text(selector.type), .text(selector.value)]))
            }
        }
        if behavior == .subset || behavior == .exact {
            let known = [String](repeating: "(o.type = ? AND o.value = ?)", count: selectors.count)
            conditions.append(
                (
                    """
                    NOT EXISTS (SELECT 1 FROM selectors AS o\(dialect.access("idx_selector_entry")) \
                    WHERE o.registered_entry_id = e.id AND NOT (\(known.joined(separator: " OR "))))
                    """, all
                ))
        }
        return conditions
    }

    private var all: [SQLValue] { selectors.flatMap { [SQLValue.text($0.type), .text($0.value)] } }
}
