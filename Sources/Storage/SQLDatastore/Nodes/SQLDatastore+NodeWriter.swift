// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork
import Logging

extension SQLDatastore: NodeWriter {
    package func createNode(_ node: AttestedNode) async throws {
        let now = now()
        try await change { [self] connection, _ in
            try connection.execute(
                nodeStatements.insert,
                [
                    .time(now), .time(now), .text(node.spiffeID), .text(node.attestationType),
                    .text(node.serialNumber), .time(SQLTime(seconds: node.expiresAt)), .text(node.newSerialNumber),
                    .time(unlessZero: node.newExpiresAt), .bool(node.canReattest), .text(node.agentVersion),
                ])
            try insertNodeEvent(node.spiffeID, now, on: connection)
        }
    }

    @discardableResult
    package func updateNode(_ node: AttestedNode, fields: NodeFields) async throws -> AttestedNode {
        let now = now()
        return try await change { [self] connection, _ in
            guard let found = try fetchNode(node.spiffeID, locked: true, on: connection) else {
                throw StoreFailure.recordNotFound
            }
            var stored = found.node
            if fields.contains(.serialNumber) { stored.serialNumber = node.serialNumber }
            if fields.contains(.expiresAt) { stored.expiresAt = node.expiresAt }
            if fields.contains(.newSerialNumber) { stored.newSerialNumber = node.newSerialNumber }
            if fields.contains(.newExpiresAt) { stored.newExpiresAt = node.newExpiresAt }
            if fields.contains(.canReattest) { stored.canReattest = node.canReattest }
            if fields.contains(.agentVersion) { stored.agentVersion = node.agentVersion }
            try connection.execute(
                nodeStatements.update,
                [
                    .time(now), .text(stored.serialNumber), .time(SQLTime(seconds: stored.expiresAt)),
                    .text(stored.newSerialNumber), .time(unlessZero: stored.newExpiresAt),
                    .bool(stored.canReattest), .text(stored.agentVersion), .integer(found.rowID),
                ])
            try insertNodeEvent(stored.spiffeID, now, on: connection)
            return stored
        }
    }

    package func setNodeSelectors(id: String, _ selectors: [Selector]) async throws {
        let now = now()
        let wanted = Set(selectors).sorted()
        try await change { [self] connection, _ in
            try connection.serialize(on: [SerialKey.node(id)])
            try removeNodeSelectors(id, on: connection)
            try connection.insert(
                wanted.flatMap { [.time(now), .time(now), .text(id), .text($0.type), .text($0.value)] },
                by: nodeStatements.insertSelectors)
            try insertNodeEvent(id, now, on: connection)
        }
    }

    @discardableResult
    package func deleteNode(id: String) async throws -> AttestedNode {
        let now = now()
        let (node, cascaded) = try await change { [self] connection, _ in
            guard let (rowID, node) = try fetchNode(id, locked: true, on: connection) else { throw StoreFailure.recordNotFound }
            return (node, try removeNode(node, rowID, now, on: connection))
        }
        logCascade(cascaded)
        return node
    }

    package func pruneNodes(
        expiredBefore cutoff: Int64, includingNonReattestable: Bool, limit: Int
    ) async throws -> Int {
        let now = now()
        let expired = SQLValue.time(SQLTime(seconds: cutoff))
        let (count, cascaded) = try await change { [self] connection, _ in
            var nodes: [(Int64, AttestedNode)] = []
            if includingNonReattestable {
                try connection.query(nodeStatements.expired, [expired, .integer(Int64(limit))]) {
                    nodes.append(($0.integer(0), Self.node($0)))
                }
            } else {
                try connection.query(
                    nodeStatements.expiredReattestable, [expired, .bool(true), .integer(Int64(limit))]
                ) { nodes.append(($0.integer(0), Self.node($0))) }
            }
            var cascaded: [RegistrationEntry] = []
            for (rowID, node) in nodes { cascaded += try removeNode(node, rowID, now, on: connection) }
            return (nodes.count, cascaded)
        }
        logCascade(cascaded)
        return count
    }

    // MARK: Inside transactions

    private func insertNodeEvent(_ id: String, _ now: SQLTime, on connection: any SQLConnection) throws {
        try connection.execute(nodeStatements.insertEvent, [.time(now), .time(now), .text(id)])
    }

    /// Deletes by primary key, which keeps databases with gap locks from blocking attestations of other nodes.
    private func removeNodeSelectors(_ id: String, on connection: any SQLConnection) throws {
        for row in try connection.numbers(nodeStatements.selectorRows, [.text(id)]) {
            try connection.execute(nodeStatements.deleteSelector, [.integer(row)])
        }
    }

    /// - Returns: the alias entries that went with the node.
    private func removeNode(
        _ node: AttestedNode, _ rowID: Int64, _ now: SQLTime, on connection: any SQLConnection
    ) throws -> [RegistrationEntry] {
        try removeNodeSelectors(node.spiffeID, on: connection)
        try connection.execute(nodeStatements.delete, [.integer(rowID)])
        try insertNodeEvent(node.spiffeID, now, on: connection)
        guard node.attestationType == "join_token" else { return [] }
        let alias = [Selector(type: "spiffe_id", value: node.spiffeID)]
        let children = try connection.numbers(entryStatements.childrenOf, [.text(node.spiffeID)])
        let rows = try fetchEntries(rowIDs: children, on: connection)
        var removed: [RegistrationEntry] = []
        for (rowID, entry) in zip(rows.ids, rows.entries) where entry.selectors == alias {
            try removeEntry(entry.id, rowID, now, on: connection)
            removed.append(entry)
        }
        return removed
    }

    private func logCascade(_ entries: [RegistrationEntry]) {
        for entry in entries {
            logger.info(
                "Cascade-deleted registration entry on attested node deletion",
                metadata: [
                    LogKey.entryID: "\(entry.id)", LogKey.spiffeID: "\(entry.spiffeID)",
                    LogKey.parentID: "\(entry.parentID)",
                ])
        }
    }
}
