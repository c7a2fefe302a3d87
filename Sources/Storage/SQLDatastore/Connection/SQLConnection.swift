// SPDX-License-Identifier: Apache-2.0

/// One conversation with a database: the whole seam between the shared SQL and a driver.
///
/// Statements use `?` for parameters; drivers rewrite them where their database differs, and keep prepared statements
/// by text. All calls block, so they are made on a `BlockingLane`, by one thread at a time. Failures are `SQLFailure`.
package protocol SQLConnection: AnyObject, Sendable {
    func begin(_ kind: SQLTransactionKind) throws
    func commit() throws
    /// Ends the transaction if there is one; never fails.
    func rollback()
    /// False before `begin`, after the end, and after a failure that made the database abort the transaction.
    var isInTransaction: Bool { get }
    /// Whether the transaction stands but accepts nothing until it is rolled back, whole or to a savepoint.
    var isAborted: Bool { get }
    /// Rows changed since the connection was opened: tells whether a failed operation wrote anything.
    var changeCount: Int64 { get }

    /// Runs a statement that yields no rows. - Returns: how many rows it changed.
    @discardableResult
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int
    /// Runs an INSERT into a table with an `id` column. - Returns: the new row's id.
    func insert(_ sql: String, _ values: [SQLValue]) throws -> Int64
    /// Runs a query. The row is valid only during the call of `each`.
    func query(_ sql: String, _ values: [SQLValue], _ each: (any SQLRow) throws -> Void) throws
    /// Runs a statement once, without keeping it prepared.
    func executeOnce(_ sql: String) throws
    func close()

    /// Waits until no other transaction, of any server, holds one of `keys`, and holds them until this one ends. Comes
    /// first in a write transaction; what is read afterwards is what the others have committed.
    func serialize(on keys: [UInt64]) throws
    /// Lets the other servers on the database know, once the transaction is committed, that it changed entries or nodes.
    func announceChange()
    /// After a `commit()` that failed with `uncertain`: names the transaction for `outcome(of:)`; `nil` where the
    /// database cannot be asked.
    var commitTicket: String? { get }
    /// Whether the transaction was committed; `nil` while that is not known.
    func outcome(of ticket: String) throws -> Bool?
    /// Where the database's history stands for this connection, in the database's own notation: after a commit at least
    /// that commit, else all it shows now. `nil` where it does not tell.
    func position() throws -> String?
    /// Whether this connection, to a replica, shows everything up to `position`. Waits for that no longer than `patience`.
    func hasReached(_ position: String, within patience: Duration) throws -> Bool
    /// Differs from what this connection said before exactly when another connection, of whomever, has committed since;
    /// `nil` where the database does not tell.
    func dataVersion() throws -> Int64?
}

/// What databases with one writer, or without replicas, need not do.
extension SQLConnection {
    package var isAborted: Bool { false }
    package func serialize(on keys: [UInt64]) throws {}
    package func announceChange() {}
    package var commitTicket: String? { nil }
    package func outcome(of ticket: String) throws -> Bool? { nil }
    package func position() throws -> String? { nil }
    package func hasReached(_ position: String, within patience: Duration) throws -> Bool { false }
    package func dataVersion() throws -> Int64? { nil }
}

package enum SQLTransactionKind: Sendable {
    /// One consistent view; nothing may be written.
    case read
    /// May write; waits for other writers where the database has only one.
    case write
}

/// The current row of a query. Null reads as 0, false, empty.
package protocol SQLRow {
    func isNull(_ column: Int) -> Bool
    func integer(_ column: Int) -> Int64
    func bool(_ column: Int) -> Bool
    func text(_ column: Int) -> String
    /// The text; `same` itself when it is equal, which saves the memory of another copy.
    func text(_ column: Int, unless same: String) -> String
    func blob(_ column: Int) -> [UInt8]
    /// The text's bytes, whatever they are. Good as long as the row is, and nothing else is asked of the column.
    func bytes(_ column: Int) -> UnsafeBufferPointer<UInt8>
    /// Unix seconds; `nil` for null or what is not a time.
    func time(_ column: Int) -> Int64?
}

extension SQLConnection {
    /// Whether a query yields any row.
    package func exists(_ sql: String, _ values: [SQLValue]) throws -> Bool {
        var found = false
        try query(sql, values) { _ in found = true }
        return found
    }

    /// The first column of the first row as a number; `nil` without rows.
    package func number(_ sql: String, _ values: [SQLValue] = []) throws -> Int64? {
        var number: Int64?
        try query(sql, values) { row in if number == nil { number = row.integer(0) } }
        return number
    }

    /// The first column of every row as a number.
    package func numbers(_ sql: String, _ values: [SQLValue]) throws -> [Int64] {
        var numbers: [Int64] = []
        try query(sql, values) { numbers.append($0.integer(0)) }
        return numbers
    }
}
