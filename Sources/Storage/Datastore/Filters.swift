// SPDX-License-Identifier: Apache-2.0

/// How a requested set compares with a stored one.
package enum MatchBehavior: Sendable, Hashable {
    /// Stored equals requested.
    case exact
    /// Stored is contained in requested.
    case subset
    /// Stored contains requested.
    case superset
    /// They share at least one member.
    case any
}

package struct SelectorMatch: Sendable, Hashable {
    package var selectors: [Selector]
    package var behavior: MatchBehavior
    package init(_ selectors: [Selector], _ behavior: MatchBehavior) {
        self.selectors = selectors
        self.behavior = behavior
    }
}

package struct FederatesWithMatch: Sendable, Hashable {
    /// Trust domain IDs.
    package var trustDomainIDs: [String]
    package var behavior: MatchBehavior
    package init(_ trustDomainIDs: [String], _ behavior: MatchBehavior) {
        self.trustDomainIDs = trustDomainIDs
        self.behavior = behavior
    }
}

/// Conditions on entries, all of which must hold; absent ones do not restrict.
package struct EntryFilter: Sendable, Hashable {
    package var spiffeID: String?
    package var parentID: String?
    package var selectors: SelectorMatch?
    package var federatesWith: FederatesWithMatch?
    package var hint: String?
    /// Only `true` restricts, as in SPIRE.
    package var downstream: Bool?
    package init() {}
    package var isEmpty: Bool { self == EntryFilter() }
}

/// Conditions on nodes, all of which must hold; absent ones do not restrict.
package struct NodeFilter: Sendable, Hashable {
    package var attestationType: String?
    package var banned: Bool?
    package var canReattest: Bool?
    /// Unix seconds: only nodes that expire before.
    package var expiresBefore: Int64?
    /// Unix seconds: only nodes that expire at or after.
    package var validAt: Int64?
    package var selectors: SelectorMatch?
    package init() {}
    package var isEmpty: Bool { self == NodeFilter() }
}

/// Where a listing continues.
package struct PageRequest: Sendable, Hashable {
    /// Empty for the first page; otherwise the decimal row id the last page ended with.
    package var token: String
    /// At least 1.
    package var size: Int
    package init(token: String = "", size: Int) {
        self.token = token
        self.size = size
    }
}

/// One page of a listing; without paging, everything and an empty token.
package struct Page<Element: Sendable>: Sendable {
    package var items: [Element]
    /// Not empty as long as rows were found, so the last page is an empty one.
    package var nextToken: String
    package init(_ items: [Element], nextToken: String = "") {
        self.items = items
        self.nextToken = nextToken
    }
}
