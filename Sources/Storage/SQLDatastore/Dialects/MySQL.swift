// SPDX-License-Identifier: Apache-2.0

extension Dialect {
    /// MariaDB 10.5 or newer, MySQL 8.
    package static let mysql = Dialect(
        name: "mysql",
        types: ColumnTypes(
            id: "int unsigned AUTO_INCREMENT PRIMARY KEY", reference: "int unsigned", int32: "int", int64: "bigint",
            bool: "boolean", string: "varchar(255)", time: "datetime NULL", bytes: "longblob"),
        tableOptions: " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8",
        quote: { "`" + $0 + "`" },
        access: { index in " FORCE INDEX (\(index ?? "PRIMARY"))" },
        orderedJoin: "STRAIGHT_JOIN",
        unionSubquery: { union in "SELECT x.registered_entry_id FROM (\(union)) AS x" },
        unionText: { "CONVERT(\($0) USING utf8mb4) COLLATE utf8mb4_bin" },
        rowLock: " FOR UPDATE",
        comparesLoosely: true,
        isRemote: true,
        tableExists: "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",
        columnExists: """
            SELECT 1 FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? \
            AND column_name = ?
            """,
        tables: "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
        createsInTransactions: false,
        commitsInOrder: false,
        largestToken: Int64(UInt32.max),
        laterPosition: mergedTransactions)

    /// Two lists of MariaDB's global transaction ids (`domain-server-sequence`, comma-separated) as one that holds the
    /// later one of each domain.
    static func mergedTransactions(_ a: String, _ b: String) -> String {
        var latest: [UInt64: (sequence: UInt64, text: Substring)] = [:]
        for id in a.split(separator: ",") + b.split(separator: ",") {
            let parts = id.split(separator: "-").map { UInt64($0) }
            guard parts.count == 3, let domain = parts[0], let sequence = parts[2] else { continue }
            if latest[domain].map({ $0.sequence < sequence }) ?? true { latest[domain] = (sequence, id) }
        }
        return latest.sorted { $0.key < $1.key }.map { String($0.value.text) }.joined(separator: ",")
    }
}
