// SPDX-License-Identifier: Apache-2.0

/// What one look at a datastore shows of what changed.
package struct FeedReading: Sendable {
    package var entries: [ChangeEvent]
    package var nodes: [ChangeEvent]
    /// Every bundle; `nil` from a reader that does not look at them, and when nothing was committed since the mark.
    package var bundles: [BundleStamp]?
    /// Where the database stood before the look; `nil` when it cannot say.
    package var mark: FeedMark?
    /// Nothing at all was committed since the mark that was handed in.
    package var isUnchanged: Bool

    package init(
        entries: [ChangeEvent], nodes: [ChangeEvent], bundles: [BundleStamp]? = nil, mark: FeedMark? = nil,
        isUnchanged: Bool = false
    ) {
        self.entries = entries
        self.nodes = nodes
        self.bundles = bundles
        self.mark = mark
        self.isUnchanged = isUnchanged
    }
}

/// Names a state of a database, so that it can be asked at next to no cost whether anything was committed since, by
/// whomever. Says something only to the datastore that gave it out.
package struct FeedMark: Sendable, Hashable {
    /// Which connection counts: another one begins anew.
    package var counter: UInt64
    package var value: Int64

    package init(counter: UInt64, value: Int64) {
        self.counter = counter
        self.value = value
    }
}

/// Tells whether a bundle was written since.
package struct BundleStamp: Sendable, Hashable {
    package var trustDomainID: String
    /// Differs after every write, whoever wrote.
    package var stamp: String

    package init(trustDomainID: String, stamp: String) {
        self.trustDomainID = trustDomainID
        self.stamp = stamp
    }
}

/// What one look at a datastore shows of its federation relationships.
package struct RelationshipReading: Sendable {
    /// Without bundles; `nil` when nothing was committed since the mark.
    package var relationships: [FederationRelationship]?
    /// Where the database stood before the look; `nil` when it cannot say.
    package var mark: FeedMark?

    package init(relationships: [FederationRelationship]?, mark: FeedMark?) {
        self.relationships = relationships
        self.mark = mark
    }
}

/// Reads everything a follower of changes needs at once: one statement, or less.
package protocol FeedReader: Sendable {
    /// Event rows with ids above the given ones, ascending, and the state of the bundles.
    ///
    /// - Parameter mark: Of an earlier reading by the same follower, which has taken in what it brought and has not gone
    ///   back since. If nothing was committed after it, nothing is read.
    func feed(entriesAfter: Int64, nodesAfter: Int64, unless mark: FeedMark?) async throws -> FeedReading
}

extension FeedReader {
    package func feed(entriesAfter: Int64, nodesAfter: Int64) async throws -> FeedReading {
        try await feed(entriesAfter: entriesAfter, nodesAfter: nodesAfter, unless: nil)
    }
}
