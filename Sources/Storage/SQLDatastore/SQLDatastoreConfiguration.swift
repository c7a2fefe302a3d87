// SPDX-License-Identifier: Apache-2.0

/// How the datastore reaches its database: the `plugin_data` of `DataStore "sql"` that concerns any database type.
package struct SQLDatastoreConfiguration: Sendable {
    /// In the form of the database type; for SQLite a path, a `file:` URI or `:memory:`.
    package var connectionString: String
    /// Refuses to start instead of upgrading an older schema.
    package var disableMigration = false
    /// Most connections that read at once; SQLite has one more that writes.
    package var maxReaders = 3
    /// Logs each statement's text at debug level.
    package var logSQL = false

    package init(connectionString: String) {
        self.connectionString = connectionString
    }
}
