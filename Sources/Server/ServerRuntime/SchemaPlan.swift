// SPDX-License-Identifier: Apache-2.0

import Groundwork
import MySQLDriver
import PostgresDriver
import SQLDatastore
import SQLiteDriver

/// What starting a server would do to the schema of the datastore that a configuration names.
package struct SchemaPlan: Sendable {
    package let databaseType: String
    /// `nil` where there is none yet.
    package let schema: Int64?
    /// The release that used the schema last; empty without a schema.
    package let release: String
    package let thisRelease = Version.number
    package let wantedSchema = Schema.version
    package let steps: [(title: String, statements: [String])]
    /// Whether each step is one transaction; else the database commits every statement.
    package let isAtomic: Bool
    package let isDisabled: Bool

    /// Looks at the database and changes nothing.
    /// - Throws: what a server would refuse to start with.
    package static func make(_ settings: ServerPlugins.SQL) async throws -> SchemaPlan {
        let configuration = DatastoreOpening.configuration(settings)
        let plan: MigrationPlan
        switch settings.databaseType {
        case "postgres": plan = try await PostgresDatastore.plan(configuration)
        case "mysql": plan = try await MySQLDatastore.plan(configuration)
        default: plan = try await SQLiteDatastore.plan(configuration)
        }
        return SchemaPlan(
            databaseType: plan.databaseType, schema: plan.schema == 0 ? nil : plan.schema, release: plan.release,
            steps: plan.steps.map { ($0.title, $0.statements) }, isAtomic: plan.isAtomic,
            isDisabled: settings.migrationIsDisabled)
    }
}
