// SPDX-License-Identifier: Apache-2.0

package import Telemetry

/// How the datastore reaches its database: the `plugin_data` of `DataStore "sql"`.
package struct SQLDatastoreConfiguration: Sendable {
    /// In the form of the database type; for SQLite a path, a `file:` URI or `:memory:`.
    package var connectionString: String
    /// Of a read replica, in the same form; empty without one. SQLite has none.
    package var readOnlyConnectionString = ""
    /// Refuses to start instead of upgrading an older schema.
    package var disableMigration = false
    /// Most connections that read at once; SQLite has one more that writes.
    package var maxReaders = 3
    /// Most connections at once, and most kept unused, to a database over a network.
    package var maxOpenConnections = 100
    package var maxIdleConnections = 100
    /// How old a connection gets; `nil` without limit.
    package var connectionMaxLifetime: Duration?
    /// How long a read waits for the replica to show what this process has seen, before it goes to the primary.
    package var replicaPatience: Duration = .milliseconds(20)
    /// PEM files for TLS with MySQL; empty for none.
    package var rootCAPath = ""
    package var clientCertPath = ""
    package var clientKeyPath = ""
    /// Logs each statement's text at debug level.
    package var logSQL = false
    /// Who hears of every operation.
    package var instruments = Instruments.off

    package init(connectionString: String) {
        self.connectionString = connectionString
    }

    /// What a pool of network connections may do.
    package var limits: NetworkPool.Limits {
        var limits = NetworkPool.Limits()
        limits.open = maxOpenConnections > 0 ? maxOpenConnections : 100
        limits.idle = max(0, maxIdleConnections)
        limits.lifetime = connectionMaxLifetime
        return limits
    }
}
