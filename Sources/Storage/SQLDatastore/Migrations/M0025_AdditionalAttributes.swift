// SPDX-License-Identifier: Apache-2.0

extension Migrator {
    /// 24 → 25: entries have additional attributes.
    static let addAdditionalAttributes = Step(from: 24) { connection, dialect in
        try connection.executeOnce(
            Schema.statement(
                adding: Schema.Column("additional_attributes", .bytes), to: "registered_entries", dialect))
    }
}
