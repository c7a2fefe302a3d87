// SPDX-License-Identifier: Apache-2.0

import Datastore
package import Groundwork
package import Logging

/// SPIRE's datastore on any SQL database: the roles of `Datastore` over a pool of connections.
///
/// Each role stands in its own folder, one operation a file where it is more than a statement or two.
package final class SQLDatastore: ChangeNotifier {
    let pool: any SQLPool
    let time: any TimeSource
    let random: any RandomSource
    let logger: Logger
    let entryStatements: EntryStatements
    let nodeStatements: NodeStatements
    let bundleStatements: BundleStatements

    package let localChanges = Watch<UInt64>(0)

    package var eventsAppearInOrder: Bool { pool.dialect.commitsInOrder }

    /// Takes the pool over and brings the schema up to date. Blocks.
    ///
    /// - Parameter connection: May write; used before the pool is.
    /// - Throws: `unknown` with the original's texts for a schema that cannot be used.
    package init(
        pool: any SQLPool, migratingOn connection: any SQLConnection, configuration: SQLDatastoreConfiguration,
        time: any TimeSource, random: any RandomSource, logger: Logger
    ) throws {
        self.pool = pool
        self.time = time
        self.random = random
        self.logger = logger
        self.entryStatements = EntryStatements(pool.dialect)
        self.nodeStatements = NodeStatements(pool.dialect)
        self.bundleStatements = BundleStatements(pool.dialect)
        let migrator = Migrator(
            dialect: pool.dialect, isDisabled: configuration.disableMigration, now: SQLTime(time.now), logger: logger)
        try migrator.run(on: connection)
    }

    /// Finishes what was accepted and closes every connection.
    package func close() async {
        await pool.close()
        localChanges.close()
    }

    /// Runs a write that adds event rows, and tells this process's followers once it is committed.
    func change<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, WriteMode) throws -> Result
    ) async throws -> Result {
        let result = try await pool.write(body)
        localChanges.update { $0 &+= 1 }
        return result
    }

    func now() -> SQLTime { SQLTime(time.now) }
}
