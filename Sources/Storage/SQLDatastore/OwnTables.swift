// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// Tables that are ours and not SPIRE's, which does not look at them. Each is made when it is first needed: most
/// installations never do.
extension SQLDatastore {
    /// Makes one of our tables unless it is there.
    /// - Throws: `failed_precondition` with the statements to run by hand, when migrations are disabled.
    func prepare(_ table: Schema.Table) async throws {
        let dialect = pool.dialect
        if try await has(table) { return }
        guard !migrationIsDisabled else {
            throw SpireError(
                .failedPrecondition,
                "datastore-sql: the table \(table.name) is missing and disable_migration is set; create it with: "
                    + Schema.creation(of: table, dialect).joined(separator: "; "))
        }
        do {
            try await pool.write { connection, _ in
                for statement in Schema.creation(of: table, dialect) { try connection.executeOnce(statement) }
            }
        } catch {
            // Another server may have made it in the meantime.
            guard try await has(table) else { throw error }
        }
    }

    func has(_ table: Schema.Table) async throws -> Bool {
        let dialect = pool.dialect
        return try await pool.read { try $0.exists(dialect.tableExists, [.text(table.name)]) }
    }
}
