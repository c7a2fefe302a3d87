// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import Synchronization

/// A pool for databases reached over a network: a connection a transaction, opened when needed.
///
/// What fails because a connection was lost, because the server became read-only or because of other transactions is
/// tried again, as long as it is known that nothing was committed. When a commit's answer is lost, the database is
/// asked what became of it; only if it cannot say, the caller gets an error that says so.
package final class NetworkPool: SQLPool {
    package struct Limits: Sendable {
        /// At least 1.
        package var open = 100
        package var idle = 100
        /// How old a connection may get; `nil` without limit.
        package var lifetime: Duration?
        /// How long a connection is kept unused.
        package var idleTime: Duration = .seconds(30)
        package init() {}
    }

    private struct Idle {
        var connection: any SQLConnection
        var opened: Duration
        var since: Duration
    }

    private struct State {
        /// The most recently used comes last.
        var idle: [Idle] = []
        var isClosed = false
        /// Grows when connections made so far are not to be used any more.
        var generation = 0
    }

    private struct Lease {
        var connection: any SQLConnection
        var opened: Duration
        var generation: Int
    }

    /// How a write ended when it did not fail.
    private enum Outcome<Value: Sendable>: Sendable {
        case done(Value)
        /// The answer to the commit was lost.
        case uncertain(Value, ticket: String?, SQLFailure)
        /// A failure left changes behind, or made the database refuse the rest.
        case needsToBeAlone
    }

    package let dialect: Dialect
    private let limits: Limits
    private let time: any TimeSource
    private let openConnection: @Sendable () throws -> any SQLConnection
    private let progress: ReplicaProgress?
    private let lane: BlockingLane
    private let state = Mutex(State())

    /// Pauses before the tries after the first. Restarts and failovers take seconds; conflicts are over at once.
    private static let pauses: [Duration] = [
        .zero, .milliseconds(20), .milliseconds(100), .milliseconds(300), .seconds(1), .seconds(2), .seconds(2), .seconds(2),
    ]
    /// After so long nothing is tried again: a caller waits, and a server that answers late is as bad as none.
    private static let patience: Duration = .seconds(15)
    /// Conflicts tried again without a pause.
    private static let conflicts = 20

    /// - Parameters:
    ///   - progress: Where commits are noted, if there is a replica to which that matters.
    ///   - open: Connects; blocks. Throws `SQLFailure`, of kind `lost` when it is worth another try.
    package init(
        dialect: Dialect, limits: Limits, time: any TimeSource, progress: ReplicaProgress? = nil,
        open: @escaping @Sendable () throws -> any SQLConnection
    ) {
        self.progress = progress
        self.dialect = dialect
        self.limits = limits
        self.time = time
        self.openConnection = open
        self.lane = BlockingLane("datastore", width: max(1, limits.open))
    }

    // MARK: Transactions

    package func read<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result {
        try await persistently { [self] in
            try lease { connection in
                try connection.begin(.read)
                defer { connection.rollback() }
                return try body(connection)
            }
        }
    }

    package func look<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result {
        try await persistently { [self] in try lease(body) }
    }

    /// Reads without trying again, if the database shows everything up to `position` within `patience`; else answers `nil`.
    /// - Throws: `SQLFailure` when the database cannot be read.
    func readOnce<Result: Sendable>(
        ifReached position: String, within patience: Duration, _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result? {
        try await lane.run { [self] in
            try lease { connection in
                guard try connection.hasReached(position, within: patience) else { return nil }
                try connection.begin(.read)
                defer { connection.rollback() }
                return try body(connection)
            }
        }
    }

    /// Reads, and tells up to where in the database's history the answer goes.
    func readKnowingPosition<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> (Result, String?) {
        try await persistently { [self] in
            try lease { connection in
                try connection.begin(.read)
                defer { connection.rollback() }
                let result = try body(connection)
                return (result, try connection.position())
            }
        }
    }

    package func write<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, WriteMode) throws -> Result
    ) async throws -> Result {
        var mode = WriteMode.shared
        while true {
            let current = mode
            let outcome: Outcome<Result> = try await persistently { [self] in
                try lease { try attempt(body, current, on: $0) }
            }
            switch outcome {
            case .done(let result): return result
            case .needsToBeAlone: mode = .alone
            case .uncertain(let result, let ticket, let failure):
                progress?.note(nil)
                guard let ticket else { throw StoreFailure.mapped(failure) }
                if try await wasCommitted(ticket, failure) { return result }
            }
        }
    }

    private func attempt<Result: Sendable>(
        _ body: (any SQLConnection, WriteMode) throws -> Result, _ mode: WriteMode, on connection: any SQLConnection
    ) throws -> Outcome<Result> {
        let before = connection.changeCount
        let result: Result
        do {
            try connection.begin(.write)
            result = try body(connection, mode)
        } catch {
            if error is WriteAlone {
                connection.rollback()
                return .needsToBeAlone
            }
            let leftSomething = connection.isAborted || connection.changeCount != before
            connection.rollback()
            if leftSomething, mode == .shared, (error as? SQLFailure)?.isOfTheTransaction != true { return .needsToBeAlone }
            throw error
        }
        do {
            try connection.commit()
        } catch let failure as SQLFailure where failure.kind == .uncertain {
            discardAll()
            return .uncertain(result, ticket: connection.commitTicket, failure)
        } catch {
            connection.rollback()
            throw error
        }
        progress?.note(try? connection.position())
        return .done(result)
    }

    private func wasCommitted(_ ticket: String, _ failure: SQLFailure) async throws -> Bool {
        for pause in Self.pauses + Self.pauses {
            let known = try await persistently { [self] in try lease { try $0.outcome(of: ticket) } }
            if let known { return known }
            try await time.sleep(for: pause)
        }
        throw StoreFailure.mapped(failure)
    }

    /// Runs `body` on a lane thread until it succeeds or it is not worth trying again.
    private func persistently<Result: Sendable>(
        _ body: @escaping @Sendable () throws -> Result
    ) async throws -> Result {
        var losses = 0
        var conflicts = 0
        let begun = time.uptime
        while true {
            do {
                return try await lane.run(body)
            } catch let failure as SQLFailure {
                if state.withLock({ $0.isClosed }) { throw Self.closed }
                switch failure.kind {
                case .lost where losses < Self.pauses.count && time.uptime - begun < Self.patience:
                    try await time.sleep(for: Self.pauses[losses])
                    losses += 1
                case .retryable where conflicts < Self.conflicts:
                    conflicts += 1
                default: throw StoreFailure.mapped(failure)
                }
            }
        }
    }

    // MARK: Connections

    /// Hands `body` a connection and takes it back, unless it broke.
    private func lease<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result {
        let lease = try take()
        do {
            let result = try body(lease.connection)
            putBack(lease)
            return result
        } catch {
            switch (error as? SQLFailure)?.kind {
            case .lost, .uncertain, .unusable:
                lease.connection.close()
                // What ended this connection has probably ended the others.
                discardAll()
            default: putBack(lease)
            }
            throw error
        }
    }

    private func take() throws -> Lease {
        let now = time.uptime
        let (found, old, generation, isClosed) = state.withLock { state in
            let old = removeStale(&state, now)
            return (state.idle.popLast(), old, state.generation, state.isClosed)
        }
        for one in old { one.connection.close() }
        if isClosed { throw Self.closed }
        if let found { return Lease(connection: found.connection, opened: found.opened, generation: generation) }
        return Lease(connection: try openConnection(), opened: now, generation: generation)
    }

    private func putBack(_ lease: Lease) {
        let now = time.uptime
        let surplus: [Idle] = state.withLock { state in
            var old = removeStale(&state, now)
            let one = Idle(connection: lease.connection, opened: lease.opened, since: now)
            let isKept = !state.isClosed && state.generation == lease.generation && state.idle.count < limits.idle
                && !isTooOld(one, now)
            if isKept { state.idle.append(one) } else { old.append(one) }
            return old
        }
        for one in surplus { one.connection.close() }
    }

    private func removeStale(_ state: inout State, _ now: Duration) -> [Idle] {
        let old = state.idle.filter { isTooOld($0, now) || now - $0.since > limits.idleTime }
        if !old.isEmpty { state.idle.removeAll { isTooOld($0, now) || now - $0.since > limits.idleTime } }
        return old
    }

    private func isTooOld(_ one: Idle, _ now: Duration) -> Bool {
        limits.lifetime.map { now - one.opened > $0 } ?? false
    }

    /// Connections made so far are closed when they come back, idle ones at once.
    private func discardAll() {
        let idle = state.withLock { state in
            state.generation += 1
            defer { state.idle = [] }
            return state.idle
        }
        for one in idle { one.connection.close() }
    }

    package func close() async {
        state.withLock { $0.isClosed = true }
        discardAll()
    }

    private static let closed = SpireError(.unavailable, "datastore-sql: the datastore is closed")
}
