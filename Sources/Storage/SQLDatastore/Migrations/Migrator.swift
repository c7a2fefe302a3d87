// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging

/// Brings a database to the schema this code uses, by the original's rules.
struct Migrator {
    let dialect: Dialect
    let isDisabled: Bool
    let now: SQLTime
    let logger: Logger

    /// One step; its effect and the new version are committed together.
    struct Step: Sendable {
        var from: Int64
        var apply: @Sendable (any SQLConnection, Dialect) throws -> Void
    }

    /// In order, each from its version to the next.
    static let steps: [Step] = [addAgentVersion, addAdditionalAttributes]

    func run(on connection: any SQLConnection) throws {
        guard try connection.exists(dialect.tableExists, [.text("migrations")]) else {
            return try create(on: connection)
        }
        var stored: (version: Int64, code: String) = (0, "")
        try connection.query("SELECT version, code_version FROM migrations ORDER BY id LIMIT 1", []) { row in
            stored = (row.integer(0), row.text(1))
        }
        if isDisabled { return try checkWithoutMigrating(stored.version, stored.code) }
        if stored.version == Schema.version { return try raiseCodeVersion(stored.code, on: connection) }
        if stored.version > Schema.version {
            guard CodeVersion(stored.code).isCompatible(with: CodeVersion(Version.number)) else {
                throw StoreFailure.sql("incompatible DB schema and code version")
            }
            logger.warning(
                "DB schema is ahead of code version, upgrading SPIRE Server is recommended",
                metadata: ["schema": "\(stored.version)"])
            return
        }
        try upgrade(from: stored.version, on: connection)
    }

    private func create(on connection: any SQLConnection) throws {
        if try connection.exists(dialect.anyTable, []) {
            throw StoreFailure.sql("the database holds tables of another application and no SPIRE schema")
        }
        logger.info("Initializing new database", metadata: ["schema": "\(Schema.version)"])
        try inTransaction(connection) {
            for statement in Schema.creation(dialect) { try connection.executeOnce(statement) }
            try connection.execute(
                "INSERT INTO migrations (created_at, updated_at, version, code_version) VALUES (?, ?, ?, ?)",
                [.time(now), .time(now), .integer(Schema.version), .text(Version.number)])
        }
    }

    private func upgrade(from stored: Int64, on connection: any SQLConnection) throws {
        guard stored >= Schema.oldestUpgradable else {
            throw StoreFailure.sql(
                "migrating from schema version \(stored) requires a previous SPIRE release; please follow the upgrade "
                    + "strategy at doc/upgrading.md")
        }
        for step in Self.steps where step.from >= stored {
            logger.info("Running migration", metadata: ["schema": "\(step.from + 1)"])
            try inTransaction(connection) {
                try step.apply(connection, dialect)
                try connection.execute(
                    "UPDATE migrations SET version = ?, code_version = ?, updated_at = ?",
                    [.integer(step.from + 1), .text(Version.number), .time(now)])
            }
        }
    }

    private func checkWithoutMigrating(_ stored: Int64, _ code: String) throws {
        if stored == Schema.version { return }
        guard CodeVersion(code).isCompatible(with: CodeVersion(Version.number)) else {
            if stored < Schema.version { throw StoreFailure.sql("auto-migration must be enabled for current DB") }
            throw StoreFailure.sql("incompatible DB schema and code version")
        }
        logger.warning(
            "DB schema differs from the one this code uses, and migration is disabled",
            metadata: ["schema": "\(stored)"])
    }

    private func raiseCodeVersion(_ stored: String, on connection: any SQLConnection) throws {
        guard CodeVersion(stored) < CodeVersion(Version.number) else { return }
        try inTransaction(connection) {
            try connection.execute(
                "UPDATE migrations SET code_version = ?, updated_at = ?", [.text(Version.number), .time(now)])
        }
    }

    private func inTransaction(_ connection: any SQLConnection, _ body: () throws -> Void) throws {
        try connection.begin(.write)
        do {
            try body()
            try connection.commit()
        } catch {
            connection.rollback()
            throw error
        }
    }
}
