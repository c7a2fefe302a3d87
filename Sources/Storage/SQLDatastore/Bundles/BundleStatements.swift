// SPDX-License-Identifier: Apache-2.0

/// The statements on bundles and on federation relationships.
struct BundleStatements: Sendable {
    let rowID = "SELECT id FROM bundles WHERE trust_domain = ?"
    let fetch = "SELECT id, data FROM bundles WHERE trust_domain = ?"
    /// Put behind a look-up of what is about to be changed.
    let lock: String
    let list = "SELECT id, data FROM bundles WHERE id > ? ORDER BY id LIMIT ?"
    let count = "SELECT COUNT(*) FROM bundles"
    let insert = "INSERT INTO bundles (created_at, updated_at, trust_domain, data) VALUES (?, ?, ?, ?)"
    let update = "UPDATE bundles SET updated_at = ?, data = ? WHERE id = ?"
    let delete = "DELETE FROM bundles WHERE id = ?"
    let federatedEntries: String
    let deleteFederated = "DELETE FROM federated_registration_entries WHERE bundle_id = ?"

    static let relationshipColumns = """
        id, trust_domain, bundle_endpoint_url, bundle_endpoint_profile, endpoint_spiffe_id
        """
    let fetchRelationship: String
    let listRelationships: String
    let insertRelationship = """
        INSERT INTO federated_trust_domains (created_at, updated_at, trust_domain, bundle_endpoint_url, \
        bundle_endpoint_profile, endpoint_spiffe_id, implicit) VALUES (?, ?, ?, ?, ?, ?, ?)
        """
    let updateRelationship = """
        UPDATE federated_trust_domains SET updated_at = ?, bundle_endpoint_url = ?, bundle_endpoint_profile = ?, \
        endpoint_spiffe_id = ? WHERE id = ?
        """
    let deleteRelationship = "DELETE FROM federated_trust_domains WHERE trust_domain = ?"

    init(_ dialect: Dialect) {
        lock = dialect.rowLock
        federatedEntries = """
            SELECT e.id FROM federated_registration_entries AS f \(dialect.orderedJoin) registered_entries AS e\
            \(dialect.access(nil)) ON e.id = f.registered_entry_id WHERE f.bundle_id = ? ORDER BY e.id
            """
        fetchRelationship = "SELECT \(Self.relationshipColumns) FROM federated_trust_domains WHERE trust_domain = ?"
        listRelationships =
            "SELECT \(Self.relationshipColumns) FROM federated_trust_domains WHERE id > ? ORDER BY id LIMIT ?"
    }
}
