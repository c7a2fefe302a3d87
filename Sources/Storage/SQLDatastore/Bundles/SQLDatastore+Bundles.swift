// SPDX-License-Identifier: Apache-2.0

package import Datastore

extension SQLDatastore: BundleReader {
    package func bundle(trustDomainID: String) async throws -> TrustBundle? {
        try await pool.read { [self] in try fetchBundle(trustDomainID, on: $0)?.bundle }
    }

    package func listBundles(page: PageRequest?) async throws -> Page<TrustBundle> {
        let range = try RowRange(page, pool.dialect)
        return try await pool.read { [self] connection in
            var bundles: [TrustBundle] = []
            var last: Int64?
            let values: [SQLValue] = [.integer(range.after ?? 0), .integer(Int64(range.limit ?? Int(Int32.max)))]
            try connection.query(bundleStatements.list, values) { row in
                last = row.integer(0)
                bundles.append(try BundleBlob.decode(row.blob(1)))
            }
            return Page(bundles, nextToken: range.nextToken(last))
        }
    }

    package func countBundles() async throws -> Int {
        try await pool.read { [self] in Int(try $0.number(bundleStatements.count) ?? 0) }
    }

    /// - Parameter locked: Keeps others from changing it until the transaction ends; only where one may write.
    func fetchBundle(
        _ trustDomainID: String, locked: Bool = false, on connection: any SQLConnection
    ) throws -> (rowID: Int64, bundle: TrustBundle)? {
        var found: (rowID: Int64, bundle: TrustBundle)?
        let sql = bundleStatements.fetch + (locked ? bundleStatements.lock : "")
        try connection.query(sql, [.text(trustDomainID)]) { row in
            found = (row.integer(0), try BundleBlob.decode(row.blob(1)))
        }
        return found
    }
}

extension SQLDatastore: BundleWriter {
    package func createBundle(_ bundle: TrustBundle) async throws -> TrustBundle {
        let now = now()
        return try await pool.write { [self] connection, _ in
            try insert(bundle, now, on: connection)
            return bundle
        }
    }

    package func updateBundle(_ bundle: TrustBundle, fields: BundleFields) async throws -> TrustBundle {
        try await modify(bundle.trustDomainID) { stored in
            stored.replace(fields, from: bundle)
            return stored
        }
    }

    package func setBundle(_ bundle: TrustBundle) async throws -> TrustBundle {
        let now = now()
        return try await pool.write { [self] connection, _ in
            try set(bundle, now, on: connection)
            return bundle
        }
    }

    package func appendBundle(_ bundle: TrustBundle) async throws -> TrustBundle {
        let now = now()
        return try await pool.write { [self] connection, _ in
            // Two servers that start on a new database append to a bundle that is not there yet.
            try connection.serialize(on: [SerialKey.bundle(bundle.trustDomainID)])
            guard let found = try fetchBundle(bundle.trustDomainID, locked: true, on: connection) else {
                try insert(bundle, now, on: connection)
                return bundle
            }
            var stored = found.bundle
            if stored.append(bundle) { try store(stored, found.rowID, now, on: connection) }
            return stored
        }
    }

    package func deleteBundle(trustDomainID: String, mode: BundleDeletion) async throws {
        let now = now()
        try await change { [self] connection, _ in
            try DeleteBundle(store: self, connection: connection, now: now)(trustDomainID, mode)
        }
    }

    package func pruneBundle(trustDomainID: String, expiredBefore cutoff: Int64) async throws -> Bool {
        let now = now()
        return try await pool.write { [self] connection, _ in
            guard let found = try fetchBundle(trustDomainID, locked: true, on: connection) else { return false }
            var bundle = found.bundle
            guard try bundle.prune(expiredBefore: cutoff) else { return false }
            try store(bundle, found.rowID, now, on: connection)
            return true
        }
    }

    package func taintX509Authority(trustDomainID: String, subjectKeyID: String) async throws {
        try await modify(trustDomainID) { try $0.taintX509(subjectKeyID) }
    }

    package func revokeX509Authority(trustDomainID: String, subjectKeyID: String) async throws {
        try await modify(trustDomainID) { try $0.revokeX509(subjectKeyID) }
    }

    package func taintJWTAuthority(
        trustDomainID: String, keyID: String
    ) async throws -> TrustBundle.JWTAuthority {
        try await modify(trustDomainID) { try $0.taintJWT(keyID) }
    }

    package func revokeJWTAuthority(
        trustDomainID: String, keyID: String
    ) async throws -> TrustBundle.JWTAuthority {
        try await modify(trustDomainID) { try $0.revokeJWT(keyID) }
    }

    // MARK: Inside transactions

    /// Reads, changes and writes back one bundle. Counted as the operation that calls it.
    /// - Throws: `not_found`, and what `change` throws, with nothing written.
    private func modify<Result: Sendable>(
        _ trustDomainID: String, function: StaticString = #function,
        _ change: @escaping @Sendable (inout TrustBundle) throws -> Result
    ) async throws -> Result {
        let now = now()
        let write: @Sendable (any SQLConnection, WriteMode) throws -> Result = { [self] connection, _ in
            guard let found = try fetchBundle(trustDomainID, locked: true, on: connection) else {
                throw StoreFailure.recordNotFound
            }
            var bundle = found.bundle
            let result = try change(&bundle)
            try store(bundle, found.rowID, now, on: connection)
            return result
        }
        return try await pool.write(write, function: function)
    }

    func set(_ bundle: TrustBundle, _ now: SQLTime, on connection: any SQLConnection) throws {
        try connection.serialize(on: [SerialKey.bundle(bundle.trustDomainID)])
        if let (rowID, _) = try fetchBundle(bundle.trustDomainID, locked: true, on: connection) {
            try store(bundle, rowID, now, on: connection)
        } else {
            try insert(bundle, now, on: connection)
        }
    }

    private func insert(_ bundle: TrustBundle, _ now: SQLTime, on connection: any SQLConnection) throws {
        try connection.execute(
            bundleStatements.insert,
            [.time(now), .time(now), .text(bundle.trustDomainID), try BundleBlob.encode(bundle)])
    }

    private func store(
        _ bundle: TrustBundle, _ rowID: Int64, _ now: SQLTime, on connection: any SQLConnection
    ) throws {
        try connection.execute(bundleStatements.update, [.time(now), try BundleBlob.encode(bundle), .integer(rowID)])
    }
}
