// SPDX-License-Identifier: Apache-2.0

import CSQLite
package import Groundwork
package import Logging
package import SQLDatastore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The datastore on SQLite.
package enum SQLiteDatastore {
    /// Opens the database, creating it or upgrading its schema where need be.
    ///
    /// A new file is readable by its owner and group at most. Blocks for as long as opening and upgrading take.
    /// - Throws: `invalid_argument` for the connection string; `unavailable` naming the file and the reason when it
    ///   cannot be opened or is not a database; `unknown` with the original's texts for an unsupported schema.
    package static func open(
        _ configuration: SQLDatastoreConfiguration, time: any TimeSource, random: any RandomSource, logger: Logger
    ) async throws -> SQLDatastore {
        let location = try SQLiteLocation(configuration.connectionString)
        let lane = BlockingLane("datastore.open", width: 1)
        return try await lane.run {
            logger.info("Opening SQL database", metadata: ["db_type": "sqlite3"])
            let pool = try makePool(location, configuration, logger)
            do {
                return try SQLDatastore(
                    pool: pool.pool, migratingOn: pool.writer, configuration: configuration, time: time,
                    random: random, logger: logger)
            } catch {
                pool.writer.close()
                throw explained(error, location)
            }
        }
    }

    /// Whether there is no file of this database. One in memory is never missing.
    /// - Throws: `invalid_argument` for the connection string.
    package static func isMissing(_ connectionString: String) throws -> Bool {
        try SQLiteLocation(connectionString).path.map { access($0, F_OK) != 0 } ?? false
    }

    /// Pages of the database kept in memory by each connection; the operating system caches the file anyway.
    private static let writerCache = "PRAGMA cache_size = -4096"
    private static let readerCache = "PRAGMA cache_size = -1024"

    private static func makePool(
        _ location: SQLiteLocation, _ configuration: SQLDatastoreConfiguration, _ logger: Logger
    ) throws -> (pool: GroupCommitPool, writer: SQLiteConnection) {
        let log: @Sendable (String) -> Void = { sql in
            logger.debug("SQL statement", metadata: [LogKey.subsystem: "gorm", "sql": "\(sql)"])
        }
        let trace = configuration.logSQL ? log : nil
        do {
            if let path = location.path { createPrivately(path) }
            let uri = location.uri
            let writer = try SQLiteConnection(
                opening: uri, flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                pragmas: [
                    "PRAGMA foreign_keys = ON", "PRAGMA journal_mode = WAL",
                    // FULL: a commit that was answered survives losing power, not only losing the process.
                    "PRAGMA synchronous = FULL", "PRAGMA temp_store = MEMORY", writerCache,
                    // Pages that change often go from the log into the file once for many commits.
                    "PRAGMA wal_autocheckpoint = 4000",
                    // The log keeps its size between checkpoints; a burst must not leave a huge file behind.
                    "PRAGMA journal_size_limit = 16777216",
                ], trace: trace)
            var version = ""
            try writer.query("SELECT sqlite_version()", []) { version = $0.text(0) }
            logger.info(
                "Connected to SQL database",
                metadata: ["type": "sqlite3", "version": "\(version)", "read_only": "false"])
            let openReader: @Sendable () throws -> any SQLConnection = {
                try SQLiteConnection(
                    opening: uri, flags: SQLITE_OPEN_READWRITE,
                    pragmas: ["PRAGMA query_only = ON", "PRAGMA temp_store = MEMORY", readerCache], trace: trace)
            }
            let pool = GroupCommitPool(
                dialect: .sqlite, writer: writer, maxReaders: configuration.maxReaders, openReader: location.path == nil ? nil : openReader)
            return (pool, writer)
        } catch {
            throw explained(error, location)
        }
    }

    /// SQLite takes its modes from the database file for the log and shared-memory files as well, so it is enough to
    /// create that one. The process umask may take away more.
    private static func createPrivately(_ path: String) {
        let descriptor = Self.open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o640)
        if descriptor >= 0 { Self.close(descriptor) }
    }

    private static func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
        #if canImport(Glibc)
        Glibc.open(path, flags, mode)
        #elseif canImport(Musl)
        Musl.open(path, flags, mode)
        #else
        Darwin.open(path, flags, mode)
        #endif
    }

    private static func close(_ descriptor: Int32) {
        #if canImport(Glibc)
        _ = Glibc.close(descriptor)
        #elseif canImport(Musl)
        _ = Musl.close(descriptor)
        #else
        _ = Darwin.close(descriptor)
        #endif
    }

    private static func explained(_ error: any Error, _ location: SQLiteLocation) -> any Error {
        guard let failure = error as? SQLFailure, let path = location.path else { return StoreFailure.mapped(error) }
        let code: SpireError.Code = failure.kind == .unusable ? .unavailable : .unknown
        return SpireError(code, "datastore-sql: unable to open \(path): \(failure.message)")
    }
}
