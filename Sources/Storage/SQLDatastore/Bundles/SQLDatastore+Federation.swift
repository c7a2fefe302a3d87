// SPDX-License-Identifier: Apache-2.0

package import Datastore

extension SQLDatastore: FederationStore {
    package func createFederationRelationship(
        _ relationship: FederationRelationship
    ) async throws -> FederationRelationship {
        try check(relationship)
        let now = now()
        return try await pool.write { [self] connection, _ in
            if let bundle = relationship.bundle { try set(bundle, now, on: connection) }
            let (profile, endpointID) = Self.columns(relationship.profile)
            try connection.execute(
                bundleStatements.insertRelationship,
                [
                    .time(now), .time(now), .text(relationship.trustDomain), .text(relationship.bundleEndpointURL),
                    .text(profile), .text(endpointID), .bool(false),
                ])
            return relationship
        }
    }

    package func federationRelationship(trustDomain: String) async throws -> FederationRelationship? {
        if trustDomain.isEmpty { throw StoreFailure.invalid("trust domain is required") }
        return try await pool.read { [self] in try fetchRelationship(trustDomain, on: $0)?.relationship }
    }

    package func listFederationRelationships(page: PageRequest?) async throws -> Page<FederationRelationship> {
        let range = try RowRange(page, pool.dialect)
        let values: [SQLValue] = [.integer(range.after ?? 0), .integer(Int64(range.limit ?? Int(Int32.max)))]
        return try await pool.read { [self] connection in
            var found: [FederationRelationship] = []
            var last: Int64?
            try connection.query(bundleStatements.listRelationships, values) { row in
                last = row.integer(0)
                found.append(try Self.relationship(row))
            }
            for index in found.indices {
                found[index].bundle = try fetchBundle("spiffe://" + found[index].trustDomain, on: connection)?.bundle
            }
            return Page(found, nextToken: range.nextToken(last))
        }
    }

    package func federationRelationships(unless mark: FeedMark?) async throws -> RelationshipReading {
        // The mark first, as with the feed.
        let current = try await primary.mark()
        if let current, current == mark { return RelationshipReading(relationships: nil, mark: current) }
        let all: [SQLValue] = [.integer(0), .integer(Int64(Int32.max))]
        let found = try await primary.look { [self] connection in
            var found: [FederationRelationship] = []
            try connection.query(bundleStatements.listRelationships, all) { row in
                found.append(try Self.relationship(row))
            }
            return found
        }
        return RelationshipReading(relationships: found, mark: current)
    }

    package func updateFederationRelationship(
        _ relationship: FederationRelationship, fields: RelationshipFields
    ) async throws -> FederationRelationship {
        try check(relationship, fields)
        let now = now()
        return try await pool.write { [self] connection, _ in
            let bundle = fields.contains(.bundle) ? relationship.bundle : nil
            if let bundle { try set(bundle, now, on: connection) }
            let stored = try fetchRelationship(relationship.trustDomain, locked: true, on: connection)
            guard let stored else { throw StoreFailure.recordNotFound }
            var updated = stored.relationship
            if fields.contains(.bundleEndpointURL) { updated.bundleEndpointURL = relationship.bundleEndpointURL }
            if fields.contains(.profile) { updated.profile = relationship.profile }
            if let bundle { updated.bundle = bundle }
            let (profile, endpointID) = Self.columns(updated.profile)
            try connection.execute(
                bundleStatements.updateRelationship,
                [
                    .time(now), .text(updated.bundleEndpointURL), .text(profile),
                    // As in the original, going over to https_web keeps the endpoint id of before.
                    .text(endpointID.isEmpty ? stored.endpointID : endpointID), .integer(stored.rowID),
                ])
            return updated
        }
    }

    package func deleteFederationRelationship(trustDomain: String) async throws {
        if trustDomain.isEmpty { throw StoreFailure.invalid("trust domain is required") }
        try await pool.write { [self] connection, _ in
            let deleted = try connection.execute(bundleStatements.deleteRelationship, [.text(trustDomain)])
            if deleted == 0 { throw StoreFailure.recordNotFound }
        }
    }

    // MARK: Inside transactions

    private func fetchRelationship(
        _ trustDomain: String, locked: Bool = false, on connection: any SQLConnection
    ) throws -> (rowID: Int64, relationship: FederationRelationship, endpointID: String)? {
        var found: (rowID: Int64, relationship: FederationRelationship, endpointID: String)?
        let sql = bundleStatements.fetchRelationship + (locked ? bundleStatements.lock : "")
        try connection.query(sql, [.text(trustDomain)]) { row in
            found = (row.integer(0), try Self.relationship(row), row.text(4))
        }
        found?.relationship.bundle = try fetchBundle("spiffe://" + trustDomain, on: connection)?.bundle
        return found
    }

    private static func relationship(_ row: any SQLRow) throws -> FederationRelationship {
        let profile: FederationRelationship.Profile
        switch row.text(3) {
        case "https_web": profile = .httpsWeb
        case "https_spiffe": profile = .httpsSPIFFE(endpointID: row.text(4))
        case let other: throw StoreFailure.sql("unknown bundle endpoint profile type: \"\(other)\"")
        }
        return FederationRelationship(trustDomain: row.text(1), bundleEndpointURL: row.text(2), profile: profile)
    }

    private static func columns(_ profile: FederationRelationship.Profile) -> (String, endpointID: String) {
        switch profile {
        case .httpsWeb: ("https_web", "")
        case .httpsSPIFFE(let id): ("https_spiffe", id)
        }
    }

    private func check(_ relationship: FederationRelationship, _ fields: RelationshipFields = .all) throws {
        if relationship.trustDomain.isEmpty { throw StoreFailure.invalid("trust domain is required") }
        if fields.contains(.bundleEndpointURL), relationship.bundleEndpointURL.isEmpty {
            throw StoreFailure.invalid("bundle endpoint URL is required")
        }
        if fields.contains(.profile), case .httpsSPIFFE(let id) = relationship.profile, id.isEmpty {
            throw StoreFailure.invalid("bundle endpoint SPIFFE ID is required")
        }
    }
}
