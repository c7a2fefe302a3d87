// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import PostgresDriver
import SQLDatastore
import TestKit

/// Opens a datastore on the shared server, in a new database unless told.
func openStore(
    _ database: String, on server: ThrowawayServer? = nil, replica: Bool = false, more: String? = nil,
    disableMigration: Bool = false, patience: Duration? = nil, time: any TimeSource = SystemTime(),
    statements: StatementLog? = nil
) async throws -> SQLDatastore {
    let server = try server ?? ThrowawayServer.shared(.postgres)
    var configuration = SQLDatastoreConfiguration(connectionString: server.connectionString(database, more: more))
    if replica { configuration.readOnlyConnectionString = server.connectionString(database, .replica) }
    configuration.disableMigration = disableMigration
    configuration.maxOpenConnections = 20
    configuration.logSQL = statements != nil
    if let patience { configuration.replicaPatience = patience }
    return try await PostgresDatastore.open(
        configuration, time: time, random: SystemRandom(), logger: statements?.logger ?? Logger(label: "test"))
}
