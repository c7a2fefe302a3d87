// SPDX-License-Identifier: Apache-2.0

import Datastore

/// The statement for a filtered listing or count of nodes, read in order of row id.
struct NodeQuery {
    private(set) var sql = ""
    private(set) var values: [SQLValue] = []

    init(_ filter: NodeFilter, _ range: RowRange, counting: Bool = false, _ dialect: Dialect) throws {
        var conditions: [String] = []
        var bound: [SQLValue] = []
        func add(_ condition: String, _ values: [SQLValue] = []) {
            conditions.append(condition)
            bound += values
        }
        if let after = range.after { add("n.id > ?", [.integer(after)]) }
        if let time = filter.expiresBefore { add("n.expires_at < ?", [.time(SQLTime(seconds: time))]) }
        if let time = filter.validAt { add("n.expires_at >= ?", [.time(SQLTime(seconds: time))]) }
        if let type = filter.attestationType { add("n.data_type = ?", [.text(type)]) }
        if let banned = filter.banned { add(banned ? "n.serial_number = ''" : "n.serial_number <> ''") }
        if let flag = filter.canReattest { add("n.can_reattest = ?", [.bool(flag)]) }
        if let match = filter.selectors {
            let set = SelectorSet(match)
            guard !set.selectors.isEmpty else { throw StoreFailure.invalid("cannot list by empty selectors set") }
            if set.selectors.count > EntryQuery.largestSet {
                throw StoreFailure.invalid("cannot list by a set of more than \(EntryQuery.largestSet)")
            }
            set.nodeConditions(dialect).forEach { add($0.sql, $0.values) }
        }
        let what = counting ? "COUNT(*)" : NodeStatements.columns
        sql = "SELECT \(what) FROM attested_node_entries AS n\(dialect.access(nil))"
        if !conditions.isEmpty { sql += " WHERE " + conditions.joined(separator: " AND ") }
        values = bound
        if counting { return }
        sql += " ORDER BY n.id"
        if let limit = range.limit {
            sql += " LIMIT ?"
            values.append(.integer(Int64(limit)))
        }
    }
}

extension SelectorSet {
    /// Conditions on `n.spiffe_id`: the map has an index by node, and none by selector.
    fileprivate func nodeConditions(_ dialect: Dialect) -> [(sql: String, values: [SQLValue])] {
        let map = "SELECT 1 FROM node_resolver_map_entries AS m\(dialect.access("idx_node_resolver_map"))"
        let one = "(m.type = ? AND m.value = ?)"
        let ofNode = "\(map) WHERE m.spiffe_id = n.spiffe_id"
        let any = [String](repeating: one, count: selectors.count).joined(separator: " OR ")
        let all = selectors.flatMap { [SQLValue.text($0.type), .text($0.value)] }
        var conditions: [(sql: String, values: [SQLValue])] = []
        switch behavior {
        case .any, .subset:
            conditions.append(("EXISTS (\(ofNode) AND (\(any)))", all))
        case .exact, .superset:
            for selector in selectors {
                conditions.append(("EXISTS (\(ofNode) AND \(one))", [.text(selector.type), .text(selector.value)]))
            }
        }
        if behavior == .subset || behavior == .exact {
            conditions.append(("NOT EXISTS (\(ofNode) AND NOT (\(any)))", all))
        }
        return conditions
    }
}
