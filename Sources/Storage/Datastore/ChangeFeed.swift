// SPDX-License-Identifier: Apache-2.0

/// What one look at a datastore shows of what changed.
package struct FeedReading: Sendable {
    package var entries: [ChangeEvent]
    package var nodes: [ChangeEvent]
    /// Every bundle; `nil` from a reader that does not look at them.
    package var bundles: [BundleStamp]?

    package init(entries: [ChangeEvent], nodes: [ChangeEvent], bundles: [BundleStamp]? = nil) {
        self.entries = entries
        self.nodes = nodes
        self.bundles = bundles
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

/// Reads everything a follower of changes needs in one transaction.
package protocol FeedReader: Sendable {
    /// Event rows with ids above the given ones, ascending, and the state of the bundles.
    func feed(entriesAfter: Int64, nodesAfter: Int64) async throws -> FeedReading
}
