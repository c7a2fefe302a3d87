// SPDX-License-Identifier: Apache-2.0

/// The plugins a configuration asks for, decoded: what there is to build.
package struct ServerPlugins: Sendable, Hashable {
    /// Settings of `DataStore "sql"`.
    package struct SQL: Sendable, Hashable {
        /// `sqlite3`, the one kind there is so far.
        package var databaseType: String
        /// Path of the database file, or a `file:` URI, as the SQLite driver of SPIRE reads it.
        package var connectionString: String
        package var readOnlyConnectionString = ""
        /// Most connections open at once; 0 means the default of 100.
        package var maxOpenConnections = 0
        package var maxIdleConnections = 2
        package var connectionMaxLifetime: Duration?
        package var migrationIsDisabled = false
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
