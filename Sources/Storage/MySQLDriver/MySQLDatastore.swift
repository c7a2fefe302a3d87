// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Logging
package import SQLDatastore

/// The datastore on MariaDB or MySQL.
package enum MySQLDatastore {
    /// Connects, creating the schema or upgrading it where need be. Blocks for as long as that takes.
    ///
    /// - Throws: `invalid_argument` for a connection string or TLS file; `unavailable` when the server cannot be reached
    ///   or does not let us in; `unknown` with the original's texts for an unsupported schema.
    package static func open(
        _ configuration: SQLDatastoreConfiguration, time: any TimeSource, random: any RandomSource, logger: Logger
    ) async throws -> SQLDatastore {
        let files = try MySQLTLSFiles(configuration)
        let location = try MySQLLocation(configuration.connectionString, hasTLSFiles: !files.isEmpty)
        let trace = trace(configuration, logger)
        let replica = try replica(configuration, files, logger)
        let progress = replica == nil ? nil : ReplicaProgress(.mysql)
        return try await BlockingLane("datastore.open", width: 1).run {
            do {
                logger.info("Opening SQL database", metadata: ["db_type": "mysql"])
                let connection = try MySQLConnection(
                    location, files, mustBeWritable: true, isPatient: true, trace: trace)
                defer { connection.close() }
                logger.info(
                    "Connected to SQL database",
                    metadata: ["type": "mysql", "version": "\(connection.serverVersion)", "read_only": "false"])
                if connection.serverVersion.hasPrefix("5.7.") {
                    logger.warning("MySQL 5.7 is no longer supported from SPIRE v1.9.0. Please upgrade to MySQL 8.0")
                }
                let pool = NetworkPool(
                    dialect: .mysql, limits: configuration.limits, time: time, progress: progress
                ) { try MySQLConnection(location, files, mustBeWritable: true, trace: trace) }
                var reads: (pool: any SQLPool, progress: ReplicaProgress)?
                if let replica, let progress {
                    let other = NetworkPool(dialect: .mysql, limits: configuration.limits, time: time) {
                        try MySQLConnection(replica, files, mustBeWritable: false, trace: trace)
                    }
                    let both = ReplicaPool(
                        primary: pool, replica: other, progress: progress, patience: configuration.replicaPatience,
                        time: time, logger: logger)
                    reads = (both, progress)
                }
                return try SQLDatastore(
                    pool: pool, migratingOn: connection, configuration: configuration, replica: reads, time: time,
                    random: random, logger: logger)
            } catch {
                throw StoreFailure.mapped(error)
            }
        }
    }

    /// What starting a server would do to the schema. Changes nothing.
    package static func plan(_ configuration: SQLDatastoreConfiguration) async throws -> MigrationPlan {
        let files = try MySQLTLSFiles(configuration)
        let location = try MySQLLocation(configuration.connectionString, hasTLSFiles: !files.isEmpty)
        return try await BlockingLane("datastore.plan", width: 1).run {
            do {
                let connection = try MySQLConnection(location, files, mustBeWritable: false)
                defer { connection.close() }
                return try MigrationPlan.make(on: connection, .mysql)
            } catch {
                throw StoreFailure.mapped(error)
            }
        }
    }

    private static func replica(
        _ configuration: SQLDatastoreConfiguration, _ files: MySQLTLSFiles, _ logger: Logger
    ) throws -> MySQLLocation? {
        if configuration.readOnlyConnectionString.isEmpty { return nil }
        logger.info("Opening SQL database", metadata: ["db_type": "mysql", "read_only": "true"])
        return try MySQLLocation(configuration.readOnlyConnectionString, hasTLSFiles: !files.isEmpty)
    }

    private static func trace(
        _ configuration: SQLDatastoreConfiguration, _ logger: Logger
    ) -> (@Sendable (String) -> Void)? {
        guard configuration.logSQL else { return nil }
        return { sql in logger.debug("SQL statement", metadata: [LogKey.subsystem: "gorm", "sql": "\(sql)"]) }
    }
}
