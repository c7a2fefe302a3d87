// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging

/// What starting a server would do to a database's schema.
package struct MigrationPlan: Sendable {
    /// `sqlite3`, `postgres` or `mysql`.
    package var databaseType: String
    /// 0 without a schema.
    package var schema: Int64
    /// The release that used the schema last; empty without a schema.
    package var release: String
    /// In order; empty when the schema is used as it is.
    package var steps: [Step]
    /// Whether each step is one transaction; else the database commits every statement.
    package var isAtomic: Bool

    package struct Step: Sendable {
        /// For people, such as `schema 23 to 24`.
        package var title: String
        package var statements: [String]
    }

    /// Looks at a database without writing to it. Blocks.
    ///
    /// - Throws: `unknown` with the original's texts for a schema that a server would refuse.
    package static func make(on connection: any SQLConnection, _ dialect: Dialect) throws -> MigrationPlan {
        let migrator = Migrator(
            dialect: dialect, isDisabled: false, now: SQLTime(seconds: 0), logger: Logger(label: "plan"))
        do {
            try connection.begin(.read)
            defer { connection.rollback() }
            let (finding, release) = try migrator.examine(connection)
            var plan = MigrationPlan(
                databaseType: dialect.name, schema: Schema.version, release: release, steps: [], isAtomic: dialect.createsInTransactions)
            switch finding {
            case .current: break
            case .different(let version): plan.schema = version
            case .empty:
                plan.schema = 0
                let row = "INSERT INTO migrations (version, code_version) VALUES (\(Schema.version), '\(Version.number)')"
                plan.steps = [
                    Step(title: "create schema \(Schema.version)", statements: Schema.creation(dialect) + [row])
                ]
            case .olderRelease:
                plan.steps = [
                    Step(
                        title: "record release \(Version.number)",
                        statements: ["UPDATE migrations SET code_version = '\(Version.number)'"])
                ]
            case .older(let version):
                plan.schema = version
                plan.steps = Migrator.steps.filter { $0.from >= version }.map { step in
                    let record = "version = \(step.from + 1), code_version = '\(Version.number)'"
                    return Step(
                        title: "schema \(step.from) to \(step.from + 1)",
                        statements: step.statements(dialect) + ["UPDATE migrations SET \(record)"])
                }
            }
            return plan
        } catch {
            throw StoreFailure.mapped(error)
        }
    }
}
