// SPDX-License-Identifier: Apache-2.0

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

/// The datastore on PostgreSQL.
package enum PostgresDatastore {
    /// Connects, creating the schema or upgrading it where need be. Blocks for as long as that takes.
    ///
    /// - Throws: `invalid_argument` for a connection string; `unavailable` when the server cannot be reached or does
    ///   not let us in; `unknown` with the original's texts for an unsupported schema.
    package static func open(
        _ configuration: SQLDatastoreConfiguration, time: any TimeSource, random: any RandomSource, logger: Logger
    ) async throws -> SQLDatastore {
        let location = try PostgresLocation(configuration.connectionString, environment: environment)
        let origin = random.uuid()
        let trace = trace(configuration, logger)
        let lane = BlockingLane("datastore.open", width: 1)
        let replica = try replica(configuration, logger)
        let progress = replica == nil ? nil : ReplicaProgress(.postgres)
        return try await lane.run {
            do {
                logger.info("Opening SQL database", metadata: ["db_type": "postgres"])
                let connection = try PostgresConnection(location, origin: origin, trace: trace)
                defer { connection.close() }
                logger.info(
                    "Connected to SQL database",
                    metadata: ["type": "postgres", "version": "\(connection.serverVersion)", "read_only": "false"])
                let pool = NetworkPool(
                    dialect: .postgres, limits: configuration.limits, time: time, progress: progress
                ) { try PostgresConnection(location, origin: origin, trace: trace) }
                var reads: (pool: any SQLPool, progress: ReplicaProgress)?
                if let replica, let progress {
                    let other = NetworkPool(dialect: .postgres, limits: configuration.limits, time: time) {
                        try PostgresConnection(replica, origin: origin, trace: trace)
                    }
                    let both = ReplicaPool(
                        primary: pool, replica: other, progress: progress, patience: configuration.replicaPatience,
                        time: time, logger: logger)
                    reads = (both, progress)
                }
                return try SQLDatastore(
                    pool: pool, migratingOn: connection, configuration: configuration, replica: reads,
                    listener: PostgresListener(location, origin: origin), time: time, random: random, logger: logger)
            } catch {
                throw StoreFailure.mapped(error)
            }
        }
    }

    /// What starting a server would do to the schema. Changes nothing.
    package static func plan(_ configuration: SQLDatastoreConfiguration) async throws -> MigrationPlan {
        let location = try PostgresLocation(configuration.connectionString, environment: environment)
        return try await BlockingLane("datastore.plan", width: 1).run {
            do {
                let connection = try PostgresConnection(location, origin: "")
                defer { connection.close() }
                return try MigrationPlan.make(on: connection, .postgres)
            } catch {
                throw StoreFailure.mapped(error)
            }
        }
    }

    private static func replica(
        _ configuration: SQLDatastoreConfiguration, _ logger: Logger
    ) throws -> PostgresLocation? {
        if configuration.readOnlyConnectionString.isEmpty { return nil }
        logger.info("Opening SQL database", metadata: ["db_type": "postgres", "read_only": "true"])
        return try PostgresLocation(
            configuration.readOnlyConnectionString, mustBeWritable: false, environment: environment)
    }

    private static func trace(
        _ configuration: SQLDatastoreConfiguration, _ logger: Logger
    ) -> (@Sendable (String) -> Void)? {
        guard configuration.logSQL else { return nil }
        return { sql in logger.debug("SQL statement", metadata: [LogKey.subsystem: "gorm", "sql": "\(sql)"]) }
    }

    private static let environment: @Sendable (String) -> String? = { name in getenv(name).map { String(cString: $0) } }
}
