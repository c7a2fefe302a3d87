// SPDX-License-Identifier: Apache-2.0

import CMySQL
import SQLDatastore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// One connection of the client library with its prepared statements.
///
/// Unchecked because the library's handle is a raw pointer: the pool gives a connection to one thread at a time.
final class MySQLConnection: SQLConnection, @unchecked Sendable {
    private let library: LibMariaDB
    private var handle: OpaquePointer?
    private let trace: (@Sendable (String) -> Void)?
    private var statements: [String: MySQLStatement] = [:]
    private var clock: UInt64 = 0
    private var holdsLocks = false
    private var hasBegun = false
    private var mode = SQLTransactionKind.read
    /// Whether the server lets this user write although it is read-only.
    private var mayIgnoreReadOnly = false

    private(set) var isInTransaction = false
    private(set) var changeCount: Int64 = 0
    private(set) var serverVersion = ""

    private static let statementLimit = 256

    /// - Parameter mustBeWritable: Passes over servers that are read-only.
    init(
        _ location: MySQLLocation, _ files: MySQLTLSFiles, mustBeWritable: Bool, isPatient: Bool = false,
        trace: (@Sendable (String) -> Void)? = nil
    ) throws {
        library = try LibMariaDB.load()
        self.trace = trace
        var failure: SQLFailure?
        let places = location.hosts.isEmpty ? [nil] : location.hosts.map(Optional.some)
        for place in places {
            do {
                handle = try MySQLConnecting(library, location, files, isPatient: isPatient).connect(to: place)
                try prepareSession(location, mustBeWritable)
                return
            } catch let one as SQLFailure {
                close()
                failure = one.kind == .lost || failure == nil ? one : failure
            }
        }
        throw failure ?? SQLFailure(.unusable, "no address in connection_string")
    }

    private func prepareSession(_ location: MySQLLocation, _ mustBeWritable: Bool) throws {
        if !location.collation.isEmpty {
            guard location.collation.utf8.allSatisfy({ $0 == 95 || ($0 >= 48 && $0 <= 57) || ($0 | 0x20 >= 97 && $0 | 0x20 <= 122) })
            else { throw SQLFailure(.unusable, "unknown collation") }
            try executeOnce("SET NAMES \(location.charset) COLLATE \(location.collation)")
        }
        for (name, value) in location.settings { try executeOnce("SET \(name) = \(value)") }
        // Whatever the server's default or the connection string say: a read of several statements has one view.
        try executeOnce("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        var isReadOnly = false
        var grants = ""
        try ask("SELECT VERSION(), @@global.read_only") { row in
            serverVersion = row[0]
            isReadOnly = row[1] != "0"
        }
        if serverVersion.contains("MariaDB") {
            // Its planner would read all selectors there are to answer for the few rows of a listing.
            try executeOnce("SET SESSION optimizer_switch = 'exists_to_in=off'")
        }
        if mustBeWritable {
            if isReadOnly { throw SQLFailure(.lost, "the server is read-only") }
            try ask("SHOW GRANTS") { grants += $0[0] + "\n" }
            let powers = ["ALL PRIVILEGES ON *.*", "SUPER", "READ_ONLY ADMIN", "READ ONLY ADMIN", "CONNECTION_ADMIN"]
            mayIgnoreReadOnly = powers.contains(where: grants.contains)
        }
    }

    deinit { close() }

    func close() {
        for statement in statements.values { statement.close() }
        statements = [:]
        isInTransaction = false
        hasBegun = false
        guard let handle else { return }
        self.handle = nil
        library.call.mysql_close(handle)
    }

    // MARK: Transactions

    func begin(_ kind: SQLTransactionKind) throws {
        mode = kind
        isInTransaction = true
        hasBegun = false
    }

    /// Statements before the first that reads or writes need no transaction yet, nor does one that is alone.
    private func beginIfNeeded() throws {
        guard isInTransaction, !hasBegun else { return }
        if mode == .write, mayIgnoreReadOnly {
            var isReadOnly = false
            try ask("SELECT @@global.read_only") { isReadOnly = $0[0] != "0" }
            if isReadOnly { throw lost("the server has become read-only") }
        }
        try runOnce(mode == .read ? "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY" : "START TRANSACTION")
        hasBegun = true
    }

    func commit() throws {
        defer { if handle != nil { releaseLocks() } }
        guard hasBegun else {
            isInTransaction = false
            return
        }
        do {
            try runOnce("COMMIT")
        } catch let failure as SQLFailure where failure.kind == .lost && changeCount != countAtBegin {
            throw SQLFailure(.uncertain, failure.message)
        }
        isInTransaction = false
        hasBegun = false
    }

    private var countAtBegin: Int64 = 0

    func rollback() {
        let mustEnd = hasBegun && handle != nil
        isInTransaction = false
        hasBegun = false
        if mustEnd {
            do { try runOnce("ROLLBACK") } catch { close() }
        }
        if handle != nil { releaseLocks() }
    }

    private func releaseLocks() {
        guard holdsLocks else { return }
        holdsLocks = false
        do { try ask("SELECT RELEASE_ALL_LOCKS()") { _ in } } catch { close() }
    }

    /// Locks have names of at most 64 bytes and are the server's, so they are few, shared by what hashes alike.
    private static let locks: UInt64 = 32

    func serialize(on keys: [UInt64]) throws {
        let slots = Set(keys.map { $0 % Self.locks }).sorted()
        if slots.isEmpty { return }
        // Before the transaction begins, so that it sees what the one that held the lock has committed.
        holdsLocks = true
        for slot in slots {
            var got = false
            try ask("SELECT GET_LOCK(CONCAT('spire.', LEFT(MD5(DATABASE()), 16), '.\(slot)'), 10)") { got = $0[0] == "1" }
            if !got { throw SQLFailure(.retryable, "another server holds a lock for too long") }
        }
    }

    // MARK: Positions

    func position() throws -> String? {
        guard serverVersion.contains("MariaDB") else { return nil }
        var position = ""
        // This session's last commit counts after a write; everything the server has after a read.
        let name = isInTransaction ? "@@gtid_current_pos" : "@@last_gtid"
        try ask("SELECT \(name)") { position = $0[0] }
        return position.isEmpty ? nil : position
    }

    func hasReached(_ position: String, within patience: Duration) throws -> Bool {
        guard serverVersion.contains("MariaDB"),
            position.utf8.allSatisfy({ ($0 >= 48 && $0 <= 57) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ",") })
        else { return false }
        var reached = false
        let seconds = Double(patience / .milliseconds(1)) / 1000
        try ask("SELECT MASTER_GTID_WAIT('\(position)', \(seconds))") { reached = $0[0] == "0" }
        return reached
    }

    // MARK: Statements

    @discardableResult
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int {
        try beginIfNeeded()
        if values.isEmpty, sql.hasPrefix("SAVEPOINT") || sql.hasPrefix("RELEASE") || sql.hasPrefix("ROLLBACK") {
            trace?(sql)
            try runOnce(sql)
            return 0
        }
        let statement = try prepared(sql)
        try run(statement, values)
        let count = Int(clamping: library.call.mysql_stmt_affected_rows(statement.handle))
        if sql.hasPrefix("SELECT") { return 0 }
        changeCount += Int64(count)
        return count
    }

    func insert(_ sql: String, _ values: [SQLValue]) throws -> Int64 {
        try beginIfNeeded()
        let statement = try prepared(sql)
        try run(statement, values)
        changeCount += 1
        return Int64(clamping: library.call.mysql_stmt_insert_id(statement.handle))
    }

    func query(_ sql: String, _ values: [SQLValue], _ each: (any SQLRow) throws -> Void) throws {
        try beginIfNeeded()
        let statement = try prepared(sql)
        defer { statement.freeResult() }
        try run(statement, values)
        while try statement.fetch() { try each(statement) }
    }

    func executeOnce(_ sql: String) throws {
        trace?(sql)
        try beginIfNeeded()
        try runOnce(sql)
    }

    private func run(_ statement: MySQLStatement, _ values: [SQLValue]) throws {
        do {
            try statement.execute(values)
        } catch let failure as SQLFailure {
            throw noted(failure)
        }
    }

    /// Deadlocks end the transaction on the server, lost connections everything.
    private func noted(_ failure: SQLFailure) -> SQLFailure {
        if failure.kind == .lost { close() }
        return failure
    }

    private func lost(_ text: String) -> SQLFailure {
        close()
        return SQLFailure(.lost, text)
    }

    private func prepared(_ sql: String) throws -> MySQLStatement {
        trace?(sql)
        clock += 1
        if let known = statements[sql], !known.isRunning {
            known.lastUse = clock
            return known
        }
        guard let handle else { throw SQLFailure(.lost, "the connection is closed") }
        let statement: MySQLStatement
        do {
            statement = try MySQLStatement(library, handle, sql)
        } catch let failure as SQLFailure {
            throw noted(failure)
        }
        statement.lastUse = clock
        if statements[sql] != nil {
            statement.isTransient = true
            return statement
        }
        if statements.count >= Self.statementLimit {
            let oldest = statements.filter { !$0.value.isRunning }.min { $0.value.lastUse < $1.value.lastUse }
            if let oldest {
                statements[oldest.key] = nil
                oldest.value.close()
            }
        }
        statements[sql] = statement
        return statement
    }

    // MARK: Plain text

    private func runOnce(_ sql: String) throws {
        if sql == "START TRANSACTION" { countAtBegin = changeCount }
        try ask(sql) { _ in }
    }

    /// Runs a statement without parameters. Null reads as an empty text.
    private func ask(_ sql: String, _ each: ([String]) -> Void) throws {
        guard let handle else { throw SQLFailure(.lost, "the connection is closed") }
        guard library.call.mysql_real_query(handle, sql, UInt(sql.utf8.count)) == 0 else {
            throw noted(MySQLFailure.failure(of: handle, library))
        }
        guard let result = library.call.mysql_store_result(handle) else {
            if library.call.mysql_errno(handle) != 0 { throw noted(MySQLFailure.failure(of: handle, library)) }
            return
        }
        defer { library.call.mysql_free_result(result) }
        let columns = Int(library.call.mysql_num_fields(result))
        while let row = library.call.mysql_fetch_row(result) {
            each((0..<columns).map { row[$0].map { String(cString: $0) } ?? "" })
        }
    }
}
