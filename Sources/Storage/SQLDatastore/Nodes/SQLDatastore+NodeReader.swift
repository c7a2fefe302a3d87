// SPDX-License-Identifier: Apache-2.0

package import Datastore

extension SQLDatastore: NodeReader {
    package func node(id: String) async throws -> AttestedNode? {
        try await pool.read { [self] in try fetchNode(id, on: $0)?.node }
    }

    package func nodeSelectors(id: String) async throws -> [Selector] {
        try await pool.read { [self] connection in
            var rows: [(Int64, Selector)] = []
            try connection.query(nodeStatements.selectors, [.text(id)]) { row in
                rows.append((row.integer(0), Selector(type: row.text(1), value: row.text(2))))
            }
            return rows.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    package func listNodes(
        _ filter: NodeFilter, page: PageRequest?, withSelectors: Bool
    ) async throws -> Page<AttestedNode> {
        let range = try RowRange(page, pool.dialect)
        let query = try NodeQuery(filter, range, pool.dialect)
        return try await pool.read { [self] connection in
            var nodes: [AttestedNode] = []
            var last: Int64?
            try connection.query(query.sql, query.values) { row in
                last = row.integer(0)
                nodes.append(Self.node(row))
            }
            if withSelectors { try fillSelectors(&nodes, on: connection) }
            return Page(nodes, nextToken: range.nextToken(last))
        }
    }

    package func countNodes(_ filter: NodeFilter) async throws -> Int {
        let query = try NodeQuery(filter, try RowRange(nil, pool.dialect), counting: true, pool.dialect)
        return try await pool.read { Int(try $0.number(query.sql, query.values) ?? 0) }
    }

    // MARK: Inside transactions

    /// - Parameter locked: Keeps others from changing it until the transaction ends; only where one may write.
    func fetchNode(
        _ id: String, locked: Bool = false, on connection: any SQLConnection
    ) throws -> (rowID: Int64, node: AttestedNode)? {
        var found: (rowID: Int64, node: AttestedNode)?
        let sql = nodeStatements.fetch + (locked ? nodeStatements.lock : "")
        try connection.query(sql, [.text(id)]) { found = ($0.integer(0), Self.node($0)) }
        if let found, pool.dialect.comparesLoosely, found.node.spiffeID != id { return nil }
        return found
    }

    static func node(_ row: any SQLRow) -> AttestedNode {
        var node = AttestedNode(
            spiffeID: row.text(1), attestationType: row.text(2), serialNumber: row.text(3),
            expiresAt: row.time(4) ?? 0, canReattest: row.bool(7))
        node.newSerialNumber = row.text(5)
        node.newExpiresAt = row.time(6) ?? 0
        node.agentVersion = row.text(8)
        return node
    }

    private func fillSelectors(_ nodes: inout [AttestedNode], on connection: any SQLConnection) throws {
        var positions: [String: Int] = [:]
        for (index, node) in nodes.enumerated() { positions[node.spiffeID] = index }
        var found: [Int: [(Int64, Selector)]] = [:]
        let byNode = pool.dialect.access("idx_node_resolver_map")
        try ValueLists.each(nodes.map { .text($0.spiffeID) }, padding: .null) { condition, values in
            var node = ""
            var type = ""
            try connection.query(
                """
                SELECT m.spiffe_id, m.id, m.type, m.value FROM node_resolver_map_entries AS m\(byNode) \
                WHERE m.spiffe_id \(condition)
                """, values
            ) { row in
                node = row.text(0, unless: node)
                type = row.text(2, unless: type)
                guard let index = positions[node] else { return }
                found[index, default: []].append((row.integer(1), Selector(type: type, value: row.text(3))))
            }
        }
        for (index, rows) in found {
            nodes[index].selectors = rows.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}
