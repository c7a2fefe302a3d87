// SPDX-License-Identifier: Apache-2.0

extension Migrator {
    /// 23 → 24: nodes remember their agent's version.
    static let addAgentVersion = Step(
        from: 23, adding: [(column: Schema.Column("agent_version", .string), table: "attested_node_entries")])
}
