// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork
import Synchronization

/// A pool for databases with one writer at a time: many readers, and one writing connection that commits whatever has
/// queued up meanwhile in one transaction, so that the cost of making a commit durable is shared.
package final class GroupCommitPool: SQLPool {
    private struct Writers {
        var pending: [any PendingWrite] = []
        var isDraining = false
        var isClosed = false
    }
    private struct Readers {
        var idle: [any SQLConnection] = []
        var isClosed = false
    }
    /// The connection that tells whether anything was committed.
    private struct Watcher {
        var connection: (any SQLConnection)?
        var counter: UInt64 = 0
        var isClosed = false

        mutating func ask(_ open: () throws -> any SQLConnection) throws -> FeedMark? {
            if isClosed { throw GroupCommitPool.closed }
            let connection = try connection ?? open()
            if self.connection == nil {
                self.connection = connection
                counter += 1
            }
            do {
                return try connection.dataVersion().map { FeedMark(counter: counter, value: $0) }
            } catch {
                connection.close()
                self.connection = nil
                throw error
            }
        }
    }

    package let dialect: Dialect
    private let writer: any SQLConnection
    private let openReader: (@Sendable () throws -> any SQLConnection)?
    private let writerLane: BlockingLane
    private let readerLane: BlockingLane
    private let writers = Mutex(Writers())
    private let readers = Mutex(Readers())
    private let watcher = Mutex(Watcher())

    /// Most writes that share a transaction: bounds how long the first of them waits.
    private static let groupLimit = 512
    private static let attempts = 3

    /// - Parameters:
    ///   - maxReaders: Connections opened, when needed, for reading.
    ///   - openReader: `nil` when the writer's connection is the only one that sees the data (in memory).
    package init(
        dialect: Dialect, writer: any SQLConnection, maxReaders: Int,
        openReader: (@Sendable () throws -> any SQLConnection)?
    ) {
        self.dialect = dialect
        self.writer = writer
        self.openReader = openReader
        self.writerLane = BlockingLane("datastore.write", width: 1)
        self.readerLane = BlockingLane("datastore.read", width: max(1, maxReaders))
    }

    package func read<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result {
        guard let openReader else { return try await write { connection, _ in try body(connection) } }
        return try await onReader(openReader) { connection in
            try connection.begin(.read)
            defer { connection.rollback() }
            return try body(connection)
        }
    }

    package func look<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result {
        guard let openReader else { return try await read(body) }
        return try await onReader(openReader, body)
    }

    /// Asks the same connection every time, because each counts for itself.
    package func mark() async throws -> FeedMark? {
        guard let openReader else { return nil }
        return try await readerLane.run { [self] in
            do {
                // The question takes microseconds, so the lock may be held meanwhile.
                return try watcher.withLock { try $0.ask(openReader) }
            } catch {
                throw StoreFailure.mapped(error)
            }
        }
    }

    private func onReader<Result: Sendable>(
        _ open: @escaping @Sendable () throws -> any SQLConnection,
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result {
        try await readerLane.run { [self] in
            do {
                let connection = try takeReader(open)
                defer { putBack(connection) }
                return try body(connection)
            } catch {
                throw StoreFailure.mapped(error)
            }
        }
    }

    package func write<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, WriteMode) throws -> Result
    ) async throws -> Result {
        try Task.checkCancellation()
        return try await withCheckedThrowingContinuation { continuation in
            let write = Write(body: body, continuation: continuation)
            let (accepted, start) = writers.withLock { state in
                if state.isClosed { return (false, false) }
                state.pending.append(write)
                let start = !state.isDraining
                state.isDraining = true
                return (true, start)
            }
            if !accepted { write.finish(Self.closed) }
            if start { writerLane.submit { self.drain() } }
        }
    }

    package func close() async {
        writers.withLock { $0.isClosed = true }
        readers.withLock { $0.isClosed = true }
        try? await writerLane.run { [writer] in writer.close() }
        watcher.withLock { watcher in
            watcher.isClosed = true
            watcher.connection?.close()
            watcher.connection = nil
        }
        let idle = readers.withLock { state in
            let idle = state.idle
            state.idle = []
            return idle
        }
        for connection in idle { connection.close() }
    }

    private static let closed = SpireError(.unavailable, "datastore-sql: the datastore is closed")

    // MARK: Readers

    private func takeReader(_ open: @Sendable () throws -> any SQLConnection) throws -> any SQLConnection {
        let (idle, isClosed) = readers.withLock { ($0.idle.popLast(), $0.isClosed) }
        if isClosed {
            idle?.close()
            throw Self.closed
        }
        return try idle ?? open()
    }

    private func putBack(_ connection: any SQLConnection) {
        let kept = readers.withLock { state in
            if !state.isClosed { state.idle.append(connection) }
            return !state.isClosed
        }
        if !kept { connection.close() }
    }

    // MARK: The writer

    private func drain() {
        while true {
            let group: [any PendingWrite] = writers.withLock { state in
                let group = Array(state.pending.prefix(Self.groupLimit))
                state.pending.removeFirst(group.count)
                if group.isEmpty { state.isDraining = false }
                return group
            }
            if group.isEmpty { return }
            if group.count > 1, runTogether(group) { continue }
            for write in group { runAlone(write) }
        }
    }

    /// Runs a group in one transaction. - Returns: false when it has to be run one by one instead.
    private func runTogether(_ group: [any PendingWrite]) -> Bool {
        var outcomes: [(any Error)?] = []
        outcomes.reserveCapacity(group.count)
        do {
            try writer.begin(.write)
            for write in group {
                let before = writer.changeCount
                do {
                    try write.attempt(writer, .shared)
                    outcomes.append(nil)
                } catch {
                    guard writer.changeCount == before, writer.isInTransaction, !Self.isRetryable(error),
                        !(error is WriteAlone)
                    else { throw error }
                    outcomes.append(error)
                }
            }
            try writer.commit()
        } catch {
            writer.rollback()
            return false
        }
        for (write, error) in zip(group, outcomes) { write.finish(error.map(StoreFailure.mapped)) }
        return true
    }

    private func runAlone(_ write: any PendingWrite) {
        var attempt = 1
        var mode = WriteMode.shared
        while true {
            let before = writer.changeCount
            do {
                try writer.begin(.write)
                try write.attempt(writer, mode)
                try writer.commit()
                return write.finish(nil)
            } catch {
                writer.rollback()
                if mode == .shared, writer.changeCount != before || error is WriteAlone {
                    mode = .alone
                    continue
                }
                if Self.isRetryable(error), attempt < Self.attempts {
                    attempt += 1
                    continue
                }
                return write.finish(StoreFailure.mapped(error))
            }
        }
    }

    private static func isRetryable(_ error: any Error) -> Bool { (error as? SQLFailure)?.kind == .retryable }
}

/// A write that waits for its turn, whatever its result type.
private protocol PendingWrite: Sendable {
    func attempt(_ connection: any SQLConnection, _ mode: WriteMode) throws
    /// Hands the caller the last attempt's value, or the error.
    func finish(_ error: (any Error)?)
}

private final class Write<Value: Sendable>: PendingWrite {
    private let body: @Sendable (any SQLConnection, WriteMode) throws -> Value
    private let continuation: CheckedContinuation<Value, any Error>
    private let value = Mutex<Value?>(nil)

    init(
        body: @escaping @Sendable (any SQLConnection, WriteMode) throws -> Value,
        continuation: CheckedContinuation<Value, any Error>
    ) {
        self.body = body
        self.continuation = continuation
    }

    func attempt(_ connection: any SQLConnection, _ mode: WriteMode) throws {
        let result = try body(connection, mode)
        value.withLock { $0 = result }
    }

    func finish(_ error: (any Error)?) {
        if let error { return continuation.resume(throwing: error) }
        if let result = value.withLock({ $0 }) { return continuation.resume(returning: result) }
        continuation.resume(throwing: SpireError(.internal, "datastore-sql: a write ended without a result"))
    }
}
