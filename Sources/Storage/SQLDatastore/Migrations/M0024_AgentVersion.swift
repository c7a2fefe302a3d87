// SPDX-License-Identifier: Apache-2.0

extension Migrator {
    /// 23 → 24: nodes remember their agent's version.
    static let addAgentVersion = Step(from: 23) { connection, dialect in
        try connection.executeOnce(
            Schema.statement(
                adding: Schema.Column("agent_version", .string), to: "attested_node_entries", dialect))
    }
}
