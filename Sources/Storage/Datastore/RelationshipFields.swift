// SPDX-License-Identifier: Apache-2.0

/// Which fields of a federation relationship an update touches. The trust domain never is.
package struct RelationshipFields: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let bundleEndpointURL = RelationshipFields(rawValue: 1 << 0)
    package static let profile = RelationshipFields(rawValue: 1 << 1)
    /// The stored bundle of the trust domain; an update without one keeps it.
    package static let bundle = RelationshipFields(rawValue: 1 << 2)
    package static let all: RelationshipFields = [.bundleEndpointURL, .profile, .bundle]
}

extension FederationStore {
    /// Replaces the whole relationship.
    /// - Throws: `not_found`.
    package func updateFederationRelationship(
        _ relationship: FederationRelationship
    ) async throws -> FederationRelationship {
        try await updateFederationRelationship(relationship, fields: .all)
    }
}
