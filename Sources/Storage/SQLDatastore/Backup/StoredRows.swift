// SPDX-License-Identifier: Apache-2.0

/// A value of a table, in a form every database can take back.
package enum StoredValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case bool(Bool)
    case text(String)
    /// Unix seconds; fractions are not kept.
    case time(Int64)
    case bytes([UInt8])
}

/// How a column's values are written down.
package enum StoredKind: Sendable, Hashable { case integer, bool, text, time, bytes }

/// A table as it is dumped and loaded.
package struct StoredTable: Sendable, Hashable {
    package let name: String
    package let columns: [String]
    package let kinds: [StoredKind]
}

/// One step of a dump.
package enum StoredRecord: Sendable, Hashable {
    case table(StoredTable)
    case row([StoredValue])
    /// After the last row of a table.
    case end(rows: Int64)
}

/// Takes a dump in. Called on a thread that may block.
package protocol StoredSink: AnyObject {
    func take(_ record: StoredRecord) throws
}

/// Gives a dump back.
package protocol StoredSource: AnyObject {
    /// - Returns: `nil` after the last table.
    func next() throws -> StoredRecord?
}

extension StoredTable {
    /// Everything that is state: SPIRE's tables without the schema's own version, and ours if it has been made.
    static var all: [Schema.Table] { Schema.tables.filter { $0.name != "migrations" } + [EntryOwners.table] }

    /// The table of this name; `nil` for one this program does not know.
    package static func named(_ name: String) -> StoredTable? {
        all.first { $0.name == name }.map { StoredTable($0) }
    }

    init(_ table: Schema.Table) {
        let ahead: [(String, StoredKind)] =
            table.isJoinTable ? [] : [("id", .integer), ("created_at", .time), ("updated_at", .time)]
        let columns = ahead + table.columns.map { ($0.name, Self.kind($0.type)) }
        self.init(name: table.name, columns: columns.map(\.0), kinds: columns.map(\.1))
    }

    private static func kind(_ type: Schema.ColumnType) -> StoredKind {
        switch type {
        case .reference, .int32, .int64: .integer
        case .bool: .bool
        case .string, .requiredString: .text
        case .time: .time
        case .bytes: .bytes
        }
    }
}
