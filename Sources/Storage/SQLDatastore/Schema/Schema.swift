// SPDX-License-Identifier: Apache-2.0

/// SPIRE's database schema as data.
package enum Schema {
    /// The version this code reads and writes.
    package static let version: Int64 = 25
    /// The oldest version that can be upgraded from.
    package static let oldestUpgradable: Int64 = 23

    enum ColumnType { case reference, int32, int64, bool, string, requiredString, time, bytes }

    struct Column {
        var name: String
        var type: ColumnType
        init(_ name: String, _ type: ColumnType) {
            self.name = name
            self.type = type
        }
    }

    struct Index {
        var name: String
        var columns: [String]
        var isUnique: Bool
    }

    struct Table {
        var name: String
        var columns: [Column]
        var indexes: [Index] = []
        /// Otherwise the table has `id`, `created_at` and `updated_at` in front.
        var isJoinTable = false
    }

    static let tables: [Table] = [
        Table(
            name: "federated_registration_entries",
            columns: [Column("bundle_id", .reference), Column("registered_entry_id", .reference)],
            indexes: [plain("idx_federated_registration_entries_registered_entry_id", "registered_entry_id")],
            isJoinTable: true),
        Table(
            name: "bundles", columns: [Column("trust_domain", .requiredString), Column("data", .bytes)],
            indexes: [unique("uix_bundles_trust_domain", "trust_domain")]),
        Table(
            name: "attested_node_entries",
            columns: [
                Column("spiffe_id", .string), Column("data_type", .string), Column("serial_number", .string),
                Column("expires_at", .time), Column("new_serial_number", .string), Column("new_expires_at", .time),
                Column("can_reattest", .bool), Column("agent_version", .string),
            ],
            indexes: [
                plain("idx_attested_node_entries_expires_at", "expires_at"),
                unique("uix_attested_node_entries_spiffe_id", "spiffe_id"),
            ]),
        Table(name: "attested_node_entries_events", columns: [Column("spiffe_id", .string)]),
        Table(
            name: "node_resolver_map_entries",
            columns: [Column("spiffe_id", .string), Column("type", .string), Column("value", .string)],
            indexes: [unique("idx_node_resolver_map", "spiffe_id", "type", "value")]),
        Table(
            name: "registered_entries",
            columns: [
                Column("entry_id", .string), Column("spiffe_id", .string), Column("parent_id", .string),
                Column("ttl", .int32), Column("admin", .bool), Column("downstream", .bool), Column("expiry", .int64),
                Column("revision_number", .int64), Column("store_svid", .bool), Column("hint", .string),
                Column("jwt_svid_ttl", .int32), Column("additional_attributes", .bytes),
            ],
            indexes: [
                plain("idx_registered_entries_spiffe_id", "spiffe_id"),
                plain("idx_registered_entries_parent_id", "parent_id"),
                plain("idx_registered_entries_expiry", "expiry"), plain("idx_registered_entries_hint", "hint"),
                unique("uix_registered_entries_entry_id", "entry_id"),
            ]),
        Table(name: "registered_entries_events", columns: [Column("entry_id", .string)]),
        Table(
            name: "join_tokens", columns: [Column("token", .string), Column("expiry", .int64)],
            indexes: [unique("uix_join_tokens_token", "token")]),
        Table(
            name: "selectors",
            columns: [Column("registered_entry_id", .reference), Column("type", .string), Column("value", .string)],
            indexes: [
                plain("idx_selectors_type_value", "type", "value"),
                unique("idx_selector_entry", "registered_entry_id", "type", "value"),
            ]),
        Table(name: "migrations", columns: [Column("version", .int32), Column("code_version", .string)]),
        Table(
            name: "dns_names", columns: [Column("registered_entry_id", .reference), Column("value", .string)],
            indexes: [unique("idx_dns_entry", "registered_entry_id", "value")]),
        Table(
            name: "federated_trust_domains",
            columns: [
                Column("trust_domain", .requiredString), Column("bundle_endpoint_url", .string),
                Column("bundle_endpoint_profile", .string), Column("endpoint_spiffe_id", .string),
                Column("implicit", .bool),
            ],
            indexes: [unique("uix_federated_trust_domains_trust_domain", "trust_domain")]),
        Table(
            name: "ca_journals",
            columns: [
                Column("data", .bytes), Column("active_x509_authority_id", .string),
                Column("active_jwt_authority_id", .string),
            ],
            indexes: [
                plain("idx_ca_journals_active_x509_authority_id", "active_x509_authority_id"),
                plain("idx_ca_journals_active_jwt_authority_id", "active_jwt_authority_id"),
            ]),
    ]

    private static func plain(_ name: String, _ columns: String...) -> Index {
        Index(name: name, columns: columns, isUnique: false)
    }
    private static func unique(_ name: String, _ columns: String...) -> Index {
        Index(name: name, columns: columns, isUnique: true)
    }
}
