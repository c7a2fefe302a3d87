// SPDX-License-Identifier: Apache-2.0

extension Dialect {
    /// SQLite 3.
    package static let sqlite = Dialect(
        name: "sqlite3",
        types: ColumnTypes(
            id: "integer primary key autoincrement", reference: "integer", int32: "integer", int64: "bigint",
            bool: "bool", string: "varchar(255)", time: "datetime", bytes: "blob"),
        tableOptions: "",
        quote: { "\"" + $0 + "\"" },
        // Left alone, SQLite picks among equally good-looking indexes by the order they were made in.
        access: { index in index.map { " INDEXED BY " + $0 } ?? " NOT INDEXED" },
        orderedJoin: "CROSS JOIN",
        rowLock: "",
        comparesLoosely: false,
        isRemote: false,
        tableExists: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
        columnExists: "SELECT 1 FROM pragma_table_info(?) WHERE name = ?",
        tables: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        createsInTransactions: true,
        commitsInOrder: true,
        largestToken: .max)
}
