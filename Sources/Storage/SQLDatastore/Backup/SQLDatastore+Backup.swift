// SPDX-License-Identifier: Apache-2.0

import Groundwork

extension SQLDatastore {
    /// The version of the schema the database has.
    package func schemaVersion() async throws -> Int64 {
        try await pool.read { try $0.number("SELECT version FROM migrations ORDER BY id LIMIT 1") ?? 0 }
    }

    /// Whether no table holds anything.
    package func isEmpty() async throws -> Bool {
        let dialect = pool.dialect
        return try await pool.read { connection in
            for table in try Self.present(on: connection, dialect)
            where try connection.exists("SELECT 1 FROM \(dialect.quote(table.name)) LIMIT 1", []) { return false }
            return true
        }
    }

    /// Hands out all tables as they are at one moment, while others go on writing.
    /// - Parameter body: Calls what it is given with a sink that takes everything. It is called again, to start over,
    ///   when the database asks for the transaction to be repeated.
    package func dump<Result: Sendable>(
        _ body: @escaping @Sendable (_ pour: (any StoredSink) throws -> Void) throws -> Result
    ) async throws -> Result {
        let dialect = pool.dialect
        return try await pool.read { connection in
            try body { sink in
                for table in try Self.present(on: connection, dialect) {
                    try Self.dump(table, to: sink, on: connection, dialect)
                }
            }
        }
    }

    private static func dump(
        _ table: StoredTable, to sink: any StoredSink, on connection: any SQLConnection, _ dialect: Dialect
    ) throws {
        try sink.take(.table(table))
        let columns = table.columns.map(dialect.quote).joined(separator: ", ")
        let order = table.columns.contains("id") ? dialect.quote("id") : columns
        var rows: Int64 = 0
        try connection.query("SELECT \(columns) FROM \(dialect.quote(table.name)) ORDER BY \(order)", []) { row in
            var values: [StoredValue] = []
            values.reserveCapacity(table.kinds.count)
            for (place, kind) in table.kinds.enumerated() {
                values.append(row.isNull(place) ? .null : value(row, place, kind))
            }
            try sink.take(.row(values))
            rows += 1
        }
        try sink.take(.end(rows: rows))
    }

    private static func value(_ row: any SQLRow, _ place: Int, _ kind: StoredKind) -> StoredValue {
        switch kind {
        case .integer: .integer(row.integer(place))
        case .bool: .bool(row.bool(place))
        case .text: .text(row.text(place))
        case .time: row.time(place).map { .time($0) } ?? .null
        case .bytes: .bytes(row.blob(place))
        }
    }

    private static func present(on connection: any SQLConnection, _ dialect: Dialect) throws -> [StoredTable] {
        try StoredTable.all.filter { table in
            try table.name != EntryOwners.name || connection.exists(dialect.tableExists, [.text(table.name)])
        }.map { StoredTable($0) }
    }

    /// Puts a dump in the place of everything there is, in one transaction: all of it or nothing.
    /// - Parameters:
    ///   - takenAt: The moment the dump shows, in Unix seconds; `restoration()` tells of it from now on.
    ///   - makeSource: Called again, to start over, when the transaction has to be repeated.
    package func load(
        takenAt: Int64, _ makeSource: @escaping @Sendable () throws -> any StoredSource
    ) async throws {
        try await prepare(EntryOwners.table)
        try await prepare(Restores.table)
        let dialect = pool.dialect
        let now = now()
        try await change { connection, _ in
            for table in try Self.present(on: connection, dialect) {
                try connection.execute("DELETE FROM \(dialect.quote(table.name))", [])
            }
            let source = try makeSource()
            var insert: RowInsert?
            var batch: [SQLValue] = []
            var names: [String] = []
            func flush() throws {
                if let insert { try connection.insert(batch, by: insert) }
                batch.removeAll(keepingCapacity: true)
            }
            while let record = try source.next() {
                switch record {
                case .table(let table):
                    names.append(table.name)
                    let columns = table.columns.map(dialect.quote)
                    insert = RowInsert(
                        into: "\(dialect.quote(table.name)) (\(columns.joined(separator: ", ")))", columns: columns.count)
                case .row(let values):
                    batch += values.map(Self.sqlValue)
                    if batch.count >= 64 * values.count { try flush() }
                case .end: try flush()
                }
            }
            for name in names where StoredTable.named(name)?.columns.contains("id") == true {
                if let statement = dialect.afterExplicitIDs?(name) { try connection.query(statement, []) { _ in } }
            }
            try Restores.record(takenAt, now, on: connection)
        }
    }

    private static func sqlValue(_ value: StoredValue) -> SQLValue {
        switch value {
        case .null: .null
        case .integer(let number): .integer(number)
        case .bool(let flag): .bool(flag)
        case .text(let text): .text(text)
        case .time(let seconds): .time(SQLTime(seconds: seconds))
        case .bytes(let bytes): .blob(bytes)
        }
    }
}
