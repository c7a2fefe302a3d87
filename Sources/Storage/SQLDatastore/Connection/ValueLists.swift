// SPDX-License-Identifier: Apache-2.0

extension SQLConnection {
    /// Inserts rows by as few statements as possible: one round trip over a network, and in SQLite one look at the
    /// counter of an AUTOINCREMENT table.
    /// - Parameter head: Everything before the row's parenthesis, ending in `VALUES `.
    func insertMany(_ head: String, _ rows: [[SQLValue]]) throws {
        var start = 0
        while start < rows.count {
            let rest = rows.count - start
            let length = rest >= 64 ? 64 : rest >= 16 ? 16 : rest >= 4 ? 4 : rest >= 2 ? 2 : 1
            let row = "(" + [String](repeating: "?", count: rows[start].count).joined(separator: ", ") + ")"
            let sql = head + [String](repeating: row, count: length).joined(separator: ", ")
            try execute(sql, rows[start..<start + length].flatMap(\.self))
            start += length
        }
    }
}

/// Cuts a list of values into pieces for `IN (…)`, of few distinct lengths so that few distinct statements exist.
enum ValueLists {
    /// - Parameters:
    ///   - padding: A value no row has; fills the last piece.
    ///   - body: Takes the condition after the column's name, such as `IN (?, ?)`, and the values.
    static func each(
        _ values: [SQLValue], padding: SQLValue, _ body: (_ condition: String, _ values: [SQLValue]) throws -> Void
    ) throws {
        var start = 0
        while start < values.count {
            let rest = values.count - start
            let length = rest >= 256 ? 256 : rest > 16 ? 64 : rest > 1 ? 16 : 1
            var piece = Array(values[start..<min(start + length, values.count)])
            start += piece.count
            while piece.count < length { piece.append(padding) }
            let marks = [String](repeating: "?", count: length).joined(separator: ", ")
            try body(length == 1 ? "= ?" : "IN (\(marks))", piece)
        }
    }
}
