// SPDX-License-Identifier: Apache-2.0

/// The plugins a configuration asks for, decoded: what there is to build.
package struct ServerPlugins: Sendable, Hashable {
    /// Settings of `DataStore "sql"`.
    package struct SQL: Sendable, Hashable {
        /// `sqlite3`, `postgres` or `mysql`.
        package var databaseType: String
        /// For SQLite the path of the database file, or a `file:` URI; else as SPIRE's driver for the database reads it.
        package var connectionString: String
        /// Of a read replica; empty without one.
        package var readOnlyConnectionString = ""
        /// Most connections open at once; 0 means the default of 100.
        package var maxOpenConnections = 0
        package var maxIdleConnections = 100
        package var connectionMaxLifetime: Duration?
        package var migrationIsDisabled = false
        /// PEM files for TLS with MySQL; empty for none.
        package var rootCAPath = ""
        package var clientCertPath = ""
        package var clientKeyPath = ""
        /// Logs the text of every statement at debug level.
        package var statementsAreLogged = false

        package init(databaseType: String, connectionString: String) {
            self.databaseType = databaseType
            self.connectionString = connectionString
        }
    }

    /// The one key manager.
    package enum KeyManager: Sendable, Hashable {
        case memory
        /// `keysPath` is SPIRE's `keys.json`.
        case disk(keysPath: String)

        /// `memory` or `disk`, for logs.
        package var name: String {
            switch self {
            case .memory: "memory"
            case .disk: "disk"
            }
        }
    }

    package var datastore: SQL
    package var keyManager: KeyManager
    /// Names of the node attestors, in file order. `join_token` is the one there is so far.
    package var nodeAttestors: [String]

    package init(datastore: SQL, keyManager: KeyManager, nodeAttestors: [String]) {
        self.datastore = datastore
        self.keyManager = keyManager
        self.nodeAttestors = nodeAttestors
    }
}
