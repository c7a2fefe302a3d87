// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork

/// When this datastore was put back to an earlier state. Not part of a backup: it tells of this database.
enum Restores {
    static let table = Schema.Table(
        name: "swift_spire_restores", columns: [Schema.Column("taken_at", .int64), Schema.Column("restored_at", .int64)])
    static let latest = "SELECT taken_at, restored_at FROM swift_spire_restores ORDER BY id DESC LIMIT 1"

    static func record(_ takenAt: Int64, _ now: SQLTime, on connection: any SQLConnection) throws {
        _ = try connection.insert(
            "INSERT INTO swift_spire_restores (created_at, updated_at, taken_at, restored_at) VALUES (?, ?, ?, ?)",
            [.time(now), .time(now), .integer(takenAt), .integer(now.seconds)])
    }
}

extension SQLDatastore {
    /// The latest restore of this datastore from a backup; `nil` when there was none.
    package func restoration() async throws -> Restoration? {
        guard try await has(Restores.table) else { return nil }
        return try await pool.read { connection in
            var found: Restoration?
            try connection.query(Restores.latest, []) {
                found = Restoration(takenAt: $0.integer(0), restoredAt: $0.integer(1))
            }
            return found
        }
    }
}
