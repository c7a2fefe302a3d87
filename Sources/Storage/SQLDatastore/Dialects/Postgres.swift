// SPDX-License-Identifier: Apache-2.0

extension Dialect {
    /// PostgreSQL 12 or newer.
    package static let postgres = Dialect(
        name: "postgres",
        types: ColumnTypes(
            id: "serial PRIMARY KEY", reference: "integer", int32: "integer", int64: "bigint", bool: "boolean",
            string: "text", time: "timestamp with time zone", bytes: "bytea"),
        tableOptions: "",
        quote: { "\"" + $0 + "\"" },
        // Its planner takes no orders, and counts the pages of a table it has no statistics on.
        access: { _ in "" },
        orderedJoin: "JOIN",
        rowLock: " FOR UPDATE",
        comparesLoosely: false,
        isRemote: true,
        tableExists: """
            SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ?
            """,
        columnExists: """
            SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ? \
            AND column_name = ?
            """,
        tables: "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()",
        createsInTransactions: true,
        commitsInOrder: false,
        largestToken: Int64(Int32.max),
        laterPosition: { logPosition($0) < logPosition($1) ? $1 : $0 },
        afterExplicitIDs: { table in
            """
            SELECT setval(pg_get_serial_sequence('\(table)', 'id'), (SELECT COALESCE(MAX(id), 0) + 1 FROM \(table)), false)
            """
        })

    /// A place in the write-ahead log, from its text `16/B374D848`.
    package static func logPosition(_ text: String) -> UInt64 {
        let parts = text.split(separator: "/", maxSplits: 1).map { UInt64($0, radix: 16) ?? 0 }
        return parts.count == 2 ? parts[0] << 32 | parts[1] & 0xffff_ffff : 0
    }
}
