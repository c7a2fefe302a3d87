// SPDX-License-Identifier: Apache-2.0

/// The fixed statements on nodes, in one dialect's words.
struct NodeStatements: Sendable {
    static let columns = """
        n.id, n.spiffe_id, n.data_type, n.serial_number, n.expires_at, n.new_serial_number, n.new_expires_at, \
        n.can_reattest, n.agent_version
        """

    let fetch: String
    /// Put behind a look-up of what is about to be changed.
    let lock: String
    let insert = """
        INSERT INTO attested_node_entries (created_at, updated_at, spiffe_id, data_type, serial_number, expires_at, \
        new_serial_number, new_expires_at, can_reattest, agent_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    let update = """
        UPDATE attested_node_entries SET updated_at = ?, serial_number = ?, expires_at = ?, new_serial_number = ?, \
        new_expires_at = ?, can_reattest = ?, agent_version = ? WHERE id = ?
        """
    let delete = "DELETE FROM attested_node_entries WHERE id = ?"
    let expired: String
    let expiredReattestable: String
    let selectors: String
    let selectorRows: String
    let insertSelectors = RowInsert(
        into: "node_resolver_map_entries (created_at, updated_at, spiffe_id, type, value)", columns: 5)
    let deleteSelector = "DELETE FROM node_resolver_map_entries WHERE id = ?"
    let insertEvent = "INSERT INTO attested_node_entries_events (created_at, updated_at, spiffe_id) VALUES (?, ?, ?)"

    init(_ dialect: Dialect) {
        let select = "SELECT \(Self.columns) FROM attested_node_entries AS n"
        lock = dialect.rowLock
        fetch = """
            \(select)\(dialect.access("uix_attested_node_entries_spiffe_id")) WHERE n.spiffe_id = ?
            """
        let byExpiry = dialect.access("idx_attested_node_entries_expires_at")
        expired = "\(select)\(byExpiry) WHERE n.expires_at < ? AND n.serial_number <> '' LIMIT ?"
        expiredReattestable = """
            \(select)\(byExpiry) WHERE n.expires_at < ? AND n.serial_number <> '' AND n.can_reattest = ? LIMIT ?
            """
        let map = "FROM node_resolver_map_entries AS m\(dialect.access("idx_node_resolver_map")) WHERE m.spiffe_id = ?"
        selectors = "SELECT m.id, m.type, m.value \(map)"
        selectorRows = "SELECT m.id \(map)"
    }
}
