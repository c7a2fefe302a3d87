// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging

/// Brings a database to the schema this code uses, by the original's rules.
struct Migrator {
    let dialect: Dialect
    let isDisabled: Bool
    let now: SQLTime
    let logger: Logger

    /// One step; its effect and the new version are committed together, where the database can.
    struct Step: Sendable {
        var from: Int64
        var adding: [(column: Schema.Column, table: String)]

        func statements(_ dialect: Dialect) -> [String] {
            adding.map { Schema.statement(adding: $0.column, to: $0.table, dialect) }
        }
    }

    /// In order, each from its version to the next.
    static let steps: [Step] = [addAgentVersion, addAdditionalAttributes]

    /// What stands in a database, and what there is to do about it.
    enum Finding: Equatable {
        /// There is nothing; everything is to be created.
        case empty
        case current
        /// Only the stored release is older than this one.
        case olderRelease
        case older(Int64)
        /// Usable as it is.
        case different(Int64)
    }

    func run(on connection: any SQLConnection) throws {
        while true {
            // Usually nothing is to be done, and nobody need wait. Another server may be creating everything meanwhile.
            let (finding, _) = try examine(connection, isAlone: false)
            switch finding {
            case .current: return
            case .different(let version): return warn(version)
            case .empty, .olderRelease, .older: break
            }
            let isDone = try inTransaction(connection) {
                // Several servers may be started at once: the others wait, and then find the work done.
                try connection.serialize(on: [SerialKey.schema])
                return try act(on: connection)
            }
            if isDone { return }
        }
    }

    /// Does the next thing there is to do. - Returns: whether it was the last.
    private func act(on connection: any SQLConnection) throws -> Bool {
        let (finding, _) = try examine(connection)
        switch finding {
        case .empty:
            logger.info("Initializing new database", metadata: ["schema": "\(Schema.version)"])
            for statement in Schema.creation(dialect) { try connection.executeOnce(statement) }
            try connection.execute(
                "INSERT INTO migrations (created_at, updated_at, version, code_version) VALUES (?, ?, ?, ?)",
                [.time(now), .time(now), .integer(Schema.version), .text(Version.number)])
            return true
        case .current: return true
        case .olderRelease:
            try connection.execute(
                "UPDATE migrations SET code_version = ?, updated_at = ?", [.text(Version.number), .time(now)])
            return true
        case .older(let version):
            guard let step = Self.steps.first(where: { $0.from == version }) else { throw Self.tooOld(version) }
            logger.info("Running migration", metadata: ["schema": "\(step.from + 1)"])
            for (addition, statement) in zip(step.adding, step.statements(dialect)) {
                // Half of a step may have been done where tables are not changed in transactions.
                let values: [SQLValue] = [.text(addition.table), .text(addition.column.name)]
                if try !connection.exists(dialect.columnExists, values) { try connection.executeOnce(statement) }
            }
            try connection.execute(
                "UPDATE migrations SET version = ?, code_version = ?, updated_at = ?",
                [.integer(step.from + 1), .text(Version.number), .time(now)])
            return step.from + 1 == Schema.version
        case .different(let version):
            warn(version)
            return true
        }
    }

    /// Looks, and changes nothing.
    /// - Parameter isAlone: False while another server may be creating the schema: then tables that have come since a look
    ///   for `migrations` tell nothing, and emptiness is for a look under the lock to judge.
    /// - Throws: `unknown` with the original's texts for a schema that cannot be used.
    /// - Returns: also the release the schema was last used by; empty without a schema.
    func examine(_ connection: any SQLConnection, isAlone: Bool = true) throws -> (Finding, release: String) {
        var stored: (version: Int64, code: String)?
        if try connection.exists(dialect.tableExists, [.text("migrations")]) {
            try connection.query("SELECT version, code_version FROM migrations ORDER BY id LIMIT 1", []) { row in
                stored = (row.integer(0), row.text(1))
            }
        }
        guard let (version, code) = stored else {
            if isAlone { try checkEmpty(connection) }
            return (.empty, "")
        }
        if isDisabled { return (try withoutMigrating(version, code), code) }
        if version == Schema.version {
            return (CodeVersion(code) < CodeVersion(Version.number) ? .olderRelease : .current, code)
        }
        if version > Schema.version {
            guard CodeVersion(code).isCompatible(with: CodeVersion(Version.number)) else {
                throw StoreFailure.sql("incompatible DB schema and code version")
            }
            return (.different(version), code)
        }
        if version < Schema.oldestUpgradable { throw Self.tooOld(version) }
        return (.older(version), code)
    }

    /// Tables without a `migrations` row belong to somebody else, unless they are what a creation that was cut off has
    /// left where each table stands for itself.
    private func checkEmpty(_ connection: any SQLConnection) throws {
        var tables: [String] = []
        try connection.query(dialect.tables, []) { tables.append($0.text(0)) }
        if dialect.createsInTransactions ? tables.isEmpty : tables.allSatisfy(Schema.tables.map(\.name).contains) { return }
        throw StoreFailure.sql("the database holds tables of another application and no SPIRE schema")
    }

    private func withoutMigrating(_ stored: Int64, _ code: String) throws -> Finding {
        if stored == Schema.version { return .current }
        guard CodeVersion(code).isCompatible(with: CodeVersion(Version.number)) else {
            if stored < Schema.version { throw StoreFailure.sql("auto-migration must be enabled for current DB") }
            throw StoreFailure.sql("incompatible DB schema and code version")
        }
        return .different(stored)
    }

    private func warn(_ version: Int64) {
        logger.warning(
            isDisabled
                ? "DB schema differs from the one this code uses, and migration is disabled"
                : "DB schema is ahead of code version, upgrading SPIRE Server is recommended",
            metadata: ["schema": "\(version)"])
    }

    private static func tooOld(_ version: Int64) -> any Error {
        StoreFailure.sql(
            "migrating from schema version \(version) requires a previous SPIRE release; please follow the upgrade "
                + "strategy at doc/upgrading.md")
    }

    private func inTransaction<Result>(_ connection: any SQLConnection, _ body: () throws -> Result) throws -> Result {
        try connection.begin(.write)
        do {
            let result = try body()
            try connection.commit()
            return result
        } catch {
            connection.rollback()
            throw error
        }
    }
}
