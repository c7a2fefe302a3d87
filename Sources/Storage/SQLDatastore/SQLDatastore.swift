// SPDX-License-Identifier: Apache-2.0

import Datastore
package import Groundwork
package import Logging

/// SPIRE's datastore on any SQL database: the roles of `Datastore` over a pool of connections.
///
/// Each role stands in its own folder, one operation a file where it is more than a statement or two.
package final class SQLDatastore: ChangeNotifier {
    let pool: ObservedPool
    let time: any TimeSource
    let random: any RandomSource
    let logger: Logger
    let entryStatements: EntryStatements
    let nodeStatements: NodeStatements
    let bundleStatements: BundleStatements
    let feedStatement: String
    let migrationIsDisabled: Bool

    package let localChanges: Watch<UInt64>
    let listener: (any ChangeListener)?
    let progress: ReplicaProgress?
    private let replica: ObservedPool?
    /// Where the database is written; `pool` itself, except where that is a replica's.
    let primary: ObservedPool

    package var eventsAppearInOrder: Bool { pool.dialect.commitsInOrder }

    /// Takes the pool over and brings the schema up to date. Blocks.
    ///
    /// - Parameters:
    ///   - connection: May write; used before the pool is.
    ///   - replica: What those read from who tolerate answers that are a moment old, and where it notes what was seen.
    ///   - listener: Hears of other servers' changes.
    /// - Throws: `unknown` with the original's texts for a schema that cannot be used.
    package init(
        pool: any SQLPool, migratingOn connection: any SQLConnection, configuration: SQLDatastoreConfiguration,
        replica: (pool: any SQLPool, progress: ReplicaProgress)? = nil, listener: (any ChangeListener)? = nil,
        time: any TimeSource, random: any RandomSource, logger: Logger
    ) throws {
        self.localChanges = Watch(0)
        self.replica = replica.map { ObservedPool($0.pool, instruments: configuration.instruments, time: time) }
        self.progress = replica?.progress
        self.listener = listener
        self.pool = ObservedPool(pool, instruments: configuration.instruments, time: time)
        self.primary = self.pool
        self.time = time
        self.random = random
        self.logger = logger
        self.entryStatements = EntryStatements(pool.dialect)
        self.nodeStatements = NodeStatements(pool.dialect)
        self.bundleStatements = BundleStatements(pool.dialect)
        self.feedStatement = FeedKind.statement(pool.dialect)
        self.migrationIsDisabled = configuration.disableMigration
        let migrator = Migrator(
            dialect: pool.dialect, isDisabled: configuration.disableMigration, now: SQLTime(time.now), logger: logger)
        try migrator.run(on: connection)
    }

    /// The same datastore over another pool.
    private init(_ other: SQLDatastore, pool: ObservedPool) {
        self.pool = pool
        self.primary = other.pool
        self.time = other.time
        self.random = other.random
        self.logger = other.logger
        self.entryStatements = other.entryStatements
        self.nodeStatements = other.nodeStatements
        self.bundleStatements = other.bundleStatements
        self.feedStatement = other.feedStatement
        self.migrationIsDisabled = other.migrationIsDisabled
        self.localChanges = other.localChanges
        self.listener = other.listener
        self.progress = other.progress
        self.replica = nil
    }

    /// For readers that tolerate answers a moment old: reads from the replica if there is one that shows what this
    /// process has seen. To be used as long as this datastore is open.
    package func toleratingStaleness() -> SQLDatastore {
        replica.map { SQLDatastore(self, pool: $0) } ?? self
    }

    /// Finishes what was accepted and closes every connection.
    package func close() async {
        await replica?.close()
        await pool.close()
        localChanges.close()
    }

    /// Runs a write that adds event rows, and tells this process's followers once it is committed.
    func change<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, WriteMode) throws -> Result,
        function: StaticString = #function
    ) async throws -> Result {
        let observed: @Sendable (any SQLConnection, WriteMode) throws -> Result = { connection, mode in
            let before = connection.changeCount
            let result = try body(connection, mode)
            if connection.changeCount != before { connection.announceChange() }
            return result
        }
        let result = try await pool.write(observed, function: function)
        localChanges.update { $0 &+= 1 }
        return result
    }

    /// Reads something small, without counting it: for health checks.
    /// - Throws: what stands between this server and its data.
    package func checkHealth() async throws {
        try await pool.bare.read { [bundleStatements] in _ = try $0.number(bundleStatements.count) }
    }

    func now() -> SQLTime { SQLTime(time.now) }
}
