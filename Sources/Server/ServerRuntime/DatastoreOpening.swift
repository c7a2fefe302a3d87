// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import MySQLDriver
import PostgresDriver
import SQLDatastore
import SQLiteDriver
package import Telemetry

/// Opens the datastore that `DataStore "sql"` describes.
package struct DatastoreOpening: Sendable {
    private let settings: ServerPlugins.SQL
    private let instruments: Instruments
    private let logger: Logger
    private let catalog: Logger

    /// - Parameter instruments: Who hears of every operation.
    package init(_ settings: ServerPlugins.SQL, instruments: Instruments = .off, log: LogSystem) {
        self.settings = settings
        self.instruments = instruments
        logger = log.logger(subsystem: "sql")
        catalog = log.logger(subsystem: "catalog")
    }

    /// - Throws: what is wrong with the settings, the database or its schema.
    func open(time: any TimeSource, random: any RandomSource) async throws -> SQLDatastore {
        let datastore: SQLDatastore
        switch settings.databaseType {
        case "sqlite3":
            if !settings.readOnlyConnectionString.isEmpty {
                logger.warning("Read-only connection is not applicable for sqlite3. Falling back to primary connection")
            }
            datastore = try await SQLiteDatastore.open(configuration, time: time, random: random, logger: logger)
        case "postgres":
            datastore = try await PostgresDatastore.open(configuration, time: time, random: random, logger: logger)
        case "mysql":
            datastore = try await MySQLDatastore.open(configuration, time: time, random: random, logger: logger)
        case let other: throw SpireError(.unsupported, "datastore-sql: unsupported database_type: \(other)")
        }
        catalog.info("Configured DataStore", metadata: ["reconfigurable": "false"])
        return datastore
    }

    /// Whether there is no database yet, as far as that can be told without making one.
    var isMissing: Bool {
        get throws {
            settings.databaseType == "sqlite3" ? try SQLiteDatastore.isMissing(settings.connectionString) : false
        }
    }

    private var configuration: SQLDatastoreConfiguration {
        var configuration = Self.configuration(settings)
        configuration.instruments = instruments
        return configuration
    }

    static func configuration(_ settings: ServerPlugins.SQL) -> SQLDatastoreConfiguration {
        var configuration = SQLDatastoreConfiguration(connectionString: settings.connectionString)
        configuration.readOnlyConnectionString = settings.readOnlyConnectionString
        configuration.disableMigration = settings.migrationIsDisabled
        configuration.maxOpenConnections = settings.maxOpenConnections
        configuration.maxIdleConnections = settings.maxIdleConnections
        configuration.connectionMaxLifetime = settings.connectionMaxLifetime
        configuration.rootCAPath = settings.rootCAPath
        configuration.clientCertPath = settings.clientCertPath
        configuration.clientKeyPath = settings.clientKeyPath
        configuration.logSQL = settings.statementsAreLogged
        return configuration
    }
}
