// SPDX-License-Identifier: Apache-2.0

extension Migrator {
    /// 24 → 25: entries have additional attributes.
    static let addAdditionalAttributes = Step(
        from: 24, adding: [(column: Schema.Column("additional_attributes", .bytes), table: "registered_entries")])
}
