// SPDX-License-Identifier: Apache-2.0

/// An INSERT of any number of rows, by as few statements as possible: one round trip over a network, and in SQLite one
/// look at the counter of an AUTOINCREMENT table. The statements have few distinct lengths, and their texts are made once.
struct RowInsert: Sendable {
    let columns: Int
    /// By number of rows, the largest first.
    fileprivate let statements: [(rows: Int, sql: String)]

    /// - Parameters:
    ///   - into: The table with its columns, as in `selectors (type, value)`.
    ///   - columns: How many those are.
    init(into table: String, columns: Int) {
        self.columns = columns
        let row = "(" + [String](repeating: "?", count: columns).joined(separator: ", ") + ")"
        statements = [64, 32, 16, 8, 4, 2, 1].map { rows in
            (rows, "INSERT INTO \(table) VALUES " + [String](repeating: row, count: rows).joined(separator: ", "))
        }
    }

    /// Inserts one row.
    var one: String { statements[statements.count - 1].sql }
}

extension SQLConnection {
    /// - Parameter values: Those of one row after the other.
    func insert(_ values: [SQLValue], by insert: RowInsert) throws {
        var start = 0
        for (rows, sql) in insert.statements {
            let length = rows * insert.columns
            while values.count - start >= length {
                try execute(sql, start == 0 && length == values.count ? values : Array(values[start..<start + length]))
                start += length
            }
        }
    }
}
