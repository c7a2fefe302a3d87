// SPDX-License-Identifier: Apache-2.0

import CSQLite
import Groundwork
import Logging
import Testing

@testable import SQLDatastore
@testable import SQLiteDriver

@Suite struct MigrationRaceTests {
    @Test("a server that is overtaken while it looks at an empty database finds the schema and uses it")
    func overtaken() throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let migrator = Migrator(
            dialect: .sqlite, isDisabled: false, now: SQLTime(seconds: 1_800_000_000), logger: Logger(label: "test"))
        func open() throws -> SQLiteConnection {
            try SQLiteConnection(
                opening: scratch.path + "/datastore.sqlite3", flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, pragmas: [])
        }
        let slow = Overtaken(try open(), after: Dialect.sqlite.tableExists) { try migrator.run(on: try open()) }
        try migrator.run(on: slow)
        #expect(!slow.isWaiting)
        #expect(scratch.sql("SELECT version, code_version FROM migrations") == "25|1.16.0\n")
    }

    @Test("tables of another application are refused all the same")
    func foreign() throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        scratch.sql("CREATE TABLE orders (id INTEGER)")
        let connection = try SQLiteConnection(
            opening: scratch.path + "/datastore.sqlite3", flags: SQLITE_OPEN_READWRITE, pragmas: [])
        let migrator = Migrator(
            dialect: .sqlite, isDisabled: false, now: SQLTime(seconds: 1_800_000_000), logger: Logger(label: "test"))
        #expect(throws: (any Error).self) { try migrator.run(on: connection) }
        #expect(scratch.sql(".tables").split(whereSeparator: \.isWhitespace) == ["orders"])
    }
}

/// Lets something happen right after a certain query was answered for the first time.
private final class Overtaken: SQLConnection, @unchecked Sendable {
    private let inner: SQLiteConnection
    private let query: String
    private var event: (() throws -> Void)?

    init(_ inner: SQLiteConnection, after query: String, _ event: @escaping () throws -> Void) {
        self.inner = inner
        self.query = query
        self.event = event
    }

    var isWaiting: Bool { event != nil }
    var isInTransaction: Bool { inner.isInTransaction }
    var changeCount: Int64 { inner.changeCount }
    func begin(_ kind: SQLTransactionKind) throws { try inner.begin(kind) }
    func commit() throws { try inner.commit() }
    func rollback() { inner.rollback() }
    func execute(_ sql: String, _ values: [SQLValue]) throws -> Int { try inner.execute(sql, values) }
    func insert(_ sql: String, _ values: [SQLValue]) throws -> Int64 { try inner.insert(sql, values) }
    func executeOnce(_ sql: String) throws { try inner.executeOnce(sql) }
    func close() { inner.close() }

    func query(_ sql: String, _ values: [SQLValue], _ each: (any SQLRow) throws -> Void) throws {
        try inner.query(sql, values, each)
        guard sql == query, let event else { return }
        self.event = nil
        try event()
    }
}
