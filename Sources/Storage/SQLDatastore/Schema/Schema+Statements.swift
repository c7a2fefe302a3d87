// SPDX-License-Identifier: Apache-2.0

extension Schema {
    /// The statements that create everything in an empty database, in the original's spelling.
    package static func creation(_ dialect: Dialect) -> [String] {
        guard dialect.createsInTransactions else { return tables.flatMap { creation(of: $0, dialect) } }
        return tables.map { statement(for: $0, dialect) }
            + tables.flatMap { table in table.indexes.map { statement(for: $0, on: table, dialect) } }
    }

    /// The statements that create one table with its indexes.
    static func creation(of table: Table, _ dialect: Dialect) -> [String] {
        // Where each statement stands for itself, a table comes with its indexes, and a creation that was cut off goes on.
        guard dialect.createsInTransactions else { return [statement(for: table, dialect)] }
        return [statement(for: table, dialect)] + table.indexes.map { statement(for: $0, on: table, dialect) }
    }

    static func type(_ type: ColumnType, _ dialect: Dialect) -> String {
        let types = dialect.types
        return switch type {
        case .reference: types.reference
        case .int32: types.int32
        case .int64: types.int64
        case .bool: types.bool
        case .string: types.string
        case .requiredString: types.string + " NOT NULL"
        case .time: types.time
        case .bytes: types.bytes
        }
    }

    static func statement(adding column: Column, to table: String, _ dialect: Dialect) -> String {
        "ALTER TABLE \(dialect.quote(table)) ADD \(dialect.quote(column.name)) \(type(column.type, dialect))"
    }

    private static func statement(for table: Table, _ dialect: Dialect) -> String {
        var parts: [String] = []
        if !table.isJoinTable {
            parts.append("\(dialect.quote("id")) \(dialect.types.id)")
            parts.append("\(dialect.quote("created_at")) \(dialect.types.time)")
            parts.append("\(dialect.quote("updated_at")) \(dialect.types.time)")
        }
        for column in table.columns {
            parts.append("\(dialect.quote(column.name)) \(type(column.type, dialect))")
        }
        let columns = parts.joined(separator: ",")
        let key = table.columns.map { dialect.quote($0.name) }.joined(separator: ",")
        if dialect.createsInTransactions {
            let end = table.isJoinTable ? ", PRIMARY KEY (\(key)))" : " )"
            return "CREATE TABLE \(dialect.quote(table.name)) (" + columns + end + dialect.tableOptions
        }
        var keys = table.isJoinTable ? ["PRIMARY KEY (\(key))"] : []
        keys += table.indexes.map { index in
            let columns = index.columns.map(dialect.quote).joined(separator: ",")
            return "\(index.isUnique ? "UNIQUE KEY" : "KEY") \(dialect.quote(index.name)) (\(columns))"
        }
        return "CREATE TABLE IF NOT EXISTS \(dialect.quote(table.name)) ("
            + ([columns] + keys).joined(separator: ",") + ")" + dialect.tableOptions
    }

    private static func statement(for index: Index, on table: Table, _ dialect: Dialect) -> String {
        // The original quotes only names without an underscore; the text is kept by SQLite and compared by people.
        let columns = index.columns.map { $0.contains("_") ? $0 : dialect.quote($0) }.joined(separator: ", ")
        let kind = index.isUnique ? "CREATE UNIQUE INDEX" : "CREATE INDEX"
        return "\(kind) \(index.name) ON \(dialect.quote(table.name))(\(columns)) "
    }
}
