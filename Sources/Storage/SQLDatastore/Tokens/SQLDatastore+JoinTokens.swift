// SPDX-License-Identifier: Apache-2.0

package import Datastore

extension SQLDatastore: JoinTokenStore {
    private static let byToken = "SELECT id, token, expiry FROM join_tokens WHERE token = ?"

    package func createJoinToken(_ token: JoinToken) async throws {
        if token.token.isEmpty || token.expiry == 0 { throw StoreFailure.sql("token and expiry are required") }
        let now = now()
        try await pool.write { connection, _ in
            try connection.execute(
                "INSERT INTO join_tokens (created_at, updated_at, token, expiry) VALUES (?, ?, ?, ?)",
                [.time(now), .time(now), .text(token.token), .integer(token.expiry)])
        }
    }

    package func joinToken(_ token: String) async throws -> JoinToken? {
        try await pool.read { try Self.fetch(token, on: $0) }
    }

    package func takeJoinToken(_ token: String) async throws -> JoinToken? {
        try await pool.write { connection, _ in
            guard let found = try Self.fetch(token, on: connection) else { return nil }
            // Whoever deletes the row has the token; with several servers both may have read it.
            let deleted = try connection.execute("DELETE FROM join_tokens WHERE token = ?", [.text(token)])
            return deleted == 1 ? found : nil
        }
    }

    package func pruneJoinTokens(expiredBefore now: Int64) async throws {
        try await pool.write { connection, _ in
            try connection.execute("DELETE FROM join_tokens WHERE expiry < ?", [.integer(now)])
        }
    }

    private static func fetch(_ token: String, on connection: any SQLConnection) throws -> JoinToken? {
        var found: JoinToken?
        try connection.query(byToken, [.text(token)]) { row in
            // Databases may find by texts that differ in case.
            if row.text(1) == token { found = JoinToken(token: token, expiry: row.integer(2)) }
        }
        return found
    }
}
