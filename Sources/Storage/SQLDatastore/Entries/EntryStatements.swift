// SPDX-License-Identifier: Apache-2.0

/// The fixed statements on entries, in one dialect's words.
struct EntryStatements: Sendable {
    static let columns = """
        e.id, e.entry_id, e.spiffe_id, e.parent_id, e.ttl, e.jwt_svid_ttl, e.admin, e.downstream, e.store_svid, \
        e.hint, e.expiry, e.revision_number, e.created_at, e.additional_attributes
        """

    let byEntryID: String
    let byRowID: String
    let insert = RowInsert(
        into: """
            registered_entries (created_at, updated_at, entry_id, spiffe_id, parent_id, ttl, admin, downstream, expiry, \
            revision_number, store_svid, hint, jwt_svid_ttl, additional_attributes)
            """, columns: 14)
    let update: String
    let delete: String
    let expired: String

    let insertSelectors = RowInsert(
        into: "selectors (created_at, updated_at, registered_entry_id, type, value)", columns: 5)
    let insertDNSNames = RowInsert(into: "dns_names (created_at, updated_at, registered_entry_id, value)", columns: 4)
    let insertFederated = RowInsert(
        into: "federated_registration_entries (bundle_id, registered_entry_id)", columns: 2)
    let insertEvents = RowInsert(into: "registered_entries_events (created_at, updated_at, entry_id)", columns: 3)
    let deleteSelectors: String
    let deleteDNSNames: String
    let deleteFederated: String

    /// Candidates for "the same entry", and how many candidates another way to them would find.
    let sameSPIFFEIDProbe: String
    let sameSPIFFEIDCount: String
    let sameParentCount: String
    let sameSelectorCount: String
    let sameBySPIFFEID: String
    let sameByParent: String
    let sameBySelector: String
    let selectorsOfRow: String

    let childrenOf: String

    init(_ dialect: Dialect) {
        let bySPIFFEID = dialect.access("idx_registered_entries_spiffe_id")
        let byParent = dialect.access("idx_registered_entries_parent_id")
        let byRow = dialect.access(nil)
        let bySelectorValue = dialect.access("idx_selectors_type_value")
        let byEntryOfSelector = dialect.access("idx_selector_entry")
        let select = "SELECT \(Self.columns) FROM registered_entries AS e"

        byEntryID = "\(select)\(dialect.access("uix_registered_entries_entry_id")) WHERE e.entry_id = ?"
        byRowID = "\(select)\(byRow) WHERE e.id = ?"
        expired = """
            SELECT e.id FROM registered_entries AS e\(dialect.access("idx_registered_entries_expiry")) \
            WHERE e.expiry > 0 AND e.expiry < ? ORDER BY e.id LIMIT ?
            """
        update = """
            UPDATE registered_entries SET updated_at = ?, spiffe_id = ?, parent_id = ?, ttl = ?, admin = ?, \
            downstream = ?, expiry = ?, revision_number = ?, store_svid = ?, hint = ?, jwt_svid_ttl = ?, \
            additional_attributes = ? WHERE id = ?
            """
        delete = "DELETE FROM registered_entries WHERE id = ?"
        deleteSelectors = "DELETE FROM selectors WHERE registered_entry_id = ?"
        deleteDNSNames = "DELETE FROM dns_names WHERE registered_entry_id = ?"
        deleteFederated = "DELETE FROM federated_registration_entries WHERE registered_entry_id = ?"

        sameSPIFFEIDProbe = """
            SELECT e.id, e.parent_id FROM registered_entries AS e\(bySPIFFEID) WHERE e.spiffe_id = ? \
            ORDER BY e.id LIMIT ?
            """
        sameSPIFFEIDCount = Self.count("registered_entries AS e\(bySPIFFEID) WHERE e.spiffe_id = ?")
        sameParentCount = Self.count("registered_entries AS e\(byParent) WHERE e.parent_id = ?")
        sameSelectorCount = Self.count("selectors AS s\(bySelectorValue) WHERE s.type = ? AND s.value = ?")
        sameBySPIFFEID = """
            SELECT e.id FROM registered_entries AS e\(bySPIFFEID) WHERE e.spiffe_id = ? AND e.parent_id = ? \
            ORDER BY e.id
            """
        sameByParent = """
            SELECT e.id FROM registered_entries AS e\(byParent) WHERE e.parent_id = ? AND e.spiffe_id = ? \
            ORDER BY e.id
            """
        sameBySelector = """
            SELECT e.id FROM selectors AS s\(bySelectorValue) \(dialect.orderedJoin) registered_entries AS e\(byRow) \
            ON e.id = s.registered_entry_id WHERE s.type = ? AND s.value = ? AND e.spiffe_id = ? AND e.parent_id = ?
            """
        selectorsOfRow = """
            SELECT s.type, s.value FROM selectors AS s\(byEntryOfSelector) WHERE s.registered_entry_id = ?
            """
        childrenOf = "SELECT e.id FROM registered_entries AS e\(byParent) WHERE e.parent_id = ? ORDER BY e.id"
    }

    private static func count(_ rows: String) -> String {
        "SELECT COUNT(*) FROM (SELECT 1 FROM \(rows) LIMIT ?) AS found"
    }

    /// Those whose plan must not depend on anything but their text.
    var lookups: [String] {
        [
            byEntryID, byRowID, expired, sameSPIFFEIDProbe, sameSPIFFEIDCount, sameParentCount, sameSelectorCount,
            sameBySPIFFEID, sameByParent, sameBySelector, selectorsOfRow, childrenOf,
        ]
    }
}
