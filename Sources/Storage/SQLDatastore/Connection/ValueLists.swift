// SPDX-License-Identifier: Apache-2.0

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
