// SPDX-License-Identifier: Apache-2.0

import CSQLite
import SQLDatastore

/// One sqlite3 handle with its prepared statements.
///
/// Unchecked because the library's handle is a raw pointer: the pool gives a connection to one thread at a time, so
/// the library's own locks around each call are left out.
final class SQLiteConnection: SQLConnection, @unchecked Sendable {
    private let handle: OpaquePointer
    private var statements: [StatementText: SQLiteStatement] = [:]
    private var clock: UInt64 = 0
    private var isOpen = true
    private let trace: (@Sendable (String) -> Void)?

    /// Refused, without harm, when another part of the process has used the library before.
    private static let configured: Int32 = spire_sqlite_without_statistics()

    /// Fixed statements fit several times over; what exceeds it are listings of unusual shapes.
    private static let statementLimit = 160

    /// - Parameters:
    ///   - name: What `sqlite3_open_v2` takes; URIs are understood.
    ///   - flags: `SQLITE_OPEN_…`; URI and mutex flags are added.
    ///   - pragmas: Run at once, in order.
    init(
        opening name: String, flags: Int32, pragmas: [String], trace: (@Sendable (String) -> Void)? = nil
    ) throws {
        _ = Self.configured
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(name, &opened, flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened else {
            let failure = SQLiteConnection.failure(opened, code)
            sqlite3_close_v2(opened)
            throw failure
        }
        self.handle = opened
        self.trace = trace
        sqlite3_extended_result_codes(opened, 1)
        sqlite3_busy_timeout(opened, 5000)
        do {
            for pragma in pragmas { try executeOnce(pragma) }
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    func close() {
        guard isOpen else { return }
        isOpen = false
        for statement in statements.values { statement.finalize() }
        statements = [:]
        sqlite3_close_v2(handle)
    }

    // MARK: Transactions

    func begin(_ kind: SQLTransactionKind) throws {
        try execute(kind == .write ? "BEGIN IMMEDIATE" : "BEGIN", [])
    }

    func commit() throws { try execute("COMMIT", []) }

    func rollback() {
        if isOpen, isInTransaction { _ = try? execute("ROLLBACK", []) }
    }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }
    var changeCount: Int64 { sqlite3_total_changes64(handle) }

    /// Looks at the log's header in shared memory; no table is read.
    func dataVersion() throws -> Int64? { try number("PRAGMA data_version") }

    // MARK: Statements

    @discardableResult
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int {
        let statement = try prepared(sql)
        defer { statement.reset() }
        try run(statement, values)
        return Int(sqlite3_changes64(handle))
    }

    func insert(_ sql: String, _ values: [SQLValue]) throws -> Int64 {
        try execute(sql, values)
        return sqlite3_last_insert_rowid(handle)
    }

    func query(_ sql: String, _ values: [SQLValue], _ each: (any SQLRow) throws -> Void) throws {
        let statement = try prepared(sql)
        defer { statement.reset() }
        guard statement.bind(values) else { throw failure(SQLITE_MISUSE) }
        while true {
            let code = statement.step()
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw failure(code) }
            try each(statement)
        }
    }

    func executeOnce(_ sql: String) throws {
        trace?(sql)
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure(code) }
    }

    private func run(_ statement: SQLiteStatement, _ values: [SQLValue]) throws {
        guard statement.bind(values) else { throw failure(SQLITE_MISUSE) }
        while true {
            let code = statement.step()
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw failure(code) }
        }
    }

    private func prepared(_ sql: String) throws -> SQLiteStatement {
        trace?(sql)
        clock += 1
        let text = StatementText(sql: sql)
        let found = statements[text]
        if let known = found, !known.isRunning {
            known.lastUse = clock
            return known
        }
        guard isOpen else { throw SQLFailure(.unusable, "the connection is closed") }
        var compiled: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &compiled, nil)
        guard code == SQLITE_OK, let compiled else { throw failure(code) }
        let statement = SQLiteStatement(compiled)
        statement.lastUse = clock
        if found != nil {
            // The same text inside its own row callback: run a second copy and drop it afterwards.
            statement.isTransient = true
            return statement
        }
        if statements.count >= Self.statementLimit { forgetOldest() }
        statements[text] = statement
        return statement
    }

    private func forgetOldest() {
        let idle = statements.filter { !$0.value.isRunning }
        guard let oldest = idle.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return }
        statements[oldest.key] = nil
        oldest.value.finalize()
    }

    // MARK: Failures

    private func failure(_ code: Int32) -> SQLFailure { Self.failure(handle, code) }

    private static func failure(_ handle: OpaquePointer?, _ code: Int32) -> SQLFailure {
        let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
        let kind: SQLFailure.Kind =
            switch code & 0xff {
            case SQLITE_CONSTRAINT: .constraint
            case SQLITE_BUSY, SQLITE_LOCKED: .retryable
            case SQLITE_NOTADB, SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_IOERR, SQLITE_FULL, SQLITE_READONLY: .unusable
            default: .other
            }
        return SQLFailure(kind, message)
    }
}

/// The text of a statement as a key: its length and its end tell nearly all apart, and are hashed in no time.
private struct StatementText: Hashable {
    let sql: String

    func hash(into hasher: inout Hasher) {
        hasher.combine(sql.utf8.count)
        for byte in sql.utf8.suffix(16) { hasher.combine(byte) }
    }
}
