// SPDX-License-Identifier: Apache-2.0

package import Datastore

/// Connections to one database and the rules by which transactions share them.
package protocol SQLPool: Sendable {
    var dialect: Dialect { get }

    /// Runs `body` in a read transaction.
    func read<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result

    /// Runs `body`, which is one reading statement and so needs no transaction around it.
    func look<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result

    /// Names the database's state, so that a later one can be compared with it; `nil` where only reading tells.
    func mark() async throws -> FeedMark?

    /// Runs `body` in a write transaction and returns when it is committed.
    ///
    /// `body` may run more than once (a retry after a conflict, or because another write of the same group failed), so
    /// it has no effects but those on the database.
    @discardableResult
    func write<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, WriteMode) throws -> Result
    ) async throws -> Result

    /// Waits for what was accepted and closes every connection; later calls fail with `unavailable`.
    func close() async
}

extension SQLPool {
    package func look<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result {
        try await read(body)
    }

    package func mark() async throws -> FeedMark? { nil }
}

/// How much a write may rely on being alone.
package enum WriteMode: Sendable {
    /// Other writes may share the transaction. After a failure that left changes behind, throw: all run again, alone.
    case shared
    /// Nobody else is in the transaction; savepoints may be used. Comes only after an attempt that threw.
    case alone
}

/// Thrown by a write that wants to be run again, alone.
struct WriteAlone: Error {}
