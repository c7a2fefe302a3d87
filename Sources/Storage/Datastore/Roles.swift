// SPDX-License-Identifier: Apache-2.0

package import Groundwork

// The datastore as roles: a caller takes only those it needs, and a fake of one is small.
// Failures are `SpireError`s with the status and text SPIRE's datastore gives: `not_found` "datastore-sql: record not
// found", `already_exists`, `invalid_argument` ("datastore-validation: …"), `failed_precondition`, `unknown`.

package protocol EntryReader: Sendable {
    /// - Returns: `nil` when there is none.
    func entry(id: String) async throws -> RegistrationEntry?
    /// Those of `ids` that exist, in no particular order.
    func entries(ids: [String]) async throws -> [RegistrationEntry]
    func listEntries(_ filter: EntryFilter, page: PageRequest?) async throws -> Page<RegistrationEntry>
    /// What `entries` finds, for the many.
    func entryRecords(ids: [String]) async throws -> EntryRecords
    /// What `listEntries` finds, for the many.
    func listEntryRecords(
        _ filter: EntryFilter, page: PageRequest?
    ) async throws -> (entries: EntryRecords, nextToken: String)
    /// A listing that is never in memory as a whole: `add` takes one piece of it after the other, in order, all from one
    /// view of the data. It may be begun anew with `initial`, so it has no effect but on its result.
    /// - Returns: what `add` made of it, and the token of the next page.
    func foldEntries<Result: Sendable>(
        _ filter: EntryFilter, page: PageRequest?, into initial: Result,
        _ add: @escaping @Sendable (inout Result, EntryRecords) throws -> Void
    ) async throws -> (result: Result, nextToken: String)
    func countEntries(_ filter: EntryFilter) async throws -> Int
}

/// For readers that have few.
extension EntryReader {
    package func entryRecords(ids: [String]) async throws -> EntryRecords { EntryRecords(try await entries(ids: ids)) }

    package func listEntryRecords(
        _ filter: EntryFilter, page: PageRequest?
    ) async throws -> (entries: EntryRecords, nextToken: String) {
        let found = try await listEntries(filter, page: page)
        return (EntryRecords(found.items), found.nextToken)
    }

    package func foldEntries<Result: Sendable>(
        _ filter: EntryFilter, page: PageRequest?, into initial: Result,
        _ add: @escaping @Sendable (inout Result, EntryRecords) throws -> Void
    ) async throws -> (result: Result, nextToken: String) {
        let found = try await listEntryRecords(filter, page: page)
        var result = initial
        try add(&result, found.entries)
        return (result, found.nextToken)
    }
}

/// What creating an entry came to.
package enum EntryCreation: Sendable {
    case created(RegistrationEntry)
    /// One with the same SPIFFE ID, parent and selectors is there already.
    case similar(RegistrationEntry)
}

package protocol EntryWriter: Sendable {
    func createEntry(_ entry: RegistrationEntry) async throws -> EntryCreation
    /// Creates many, each on its own terms, in as few transactions as possible. One result an entry, in order.
    func createEntries(_ entries: [RegistrationEntry]) async throws -> [Result<EntryCreation, SpireError>]
    /// - Throws: `not_found`.
    func updateEntry(_ entry: RegistrationEntry, fields: EntryFields) async throws -> RegistrationEntry
    /// - Throws: `not_found`.
    @discardableResult
    func deleteEntry(id: String) async throws -> RegistrationEntry
    /// Deletes entries whose expiry is set and earlier than `now` (unix seconds).
    /// - Returns: those deleted.
    func pruneEntries(expiredBefore now: Int64) async throws -> [RegistrationEntry]
}

package protocol NodeReader: Sendable {
    /// - Returns: `nil` when there is none. Selectors are not filled.
    func node(id: String) async throws -> AttestedNode?
    func nodeSelectors(id: String) async throws -> [Selector]
    func listNodes(_ filter: NodeFilter, page: PageRequest?, withSelectors: Bool) async throws -> Page<AttestedNode>
    func countNodes(_ filter: NodeFilter) async throws -> Int
}

package protocol NodeWriter: Sendable {
    /// - Throws: `already_exists`.
    func createNode(_ node: AttestedNode) async throws
    /// - Throws: `not_found`.
    @discardableResult
    func updateNode(_ node: AttestedNode, fields: NodeFields) async throws -> AttestedNode
    /// Replaces the whole selector set (sorted, unique).
    func setNodeSelectors(id: String, _ selectors: [Selector]) async throws
    /// Removes the node, its selectors and, for join-token nodes, the alias entry made with the token.
    /// - Throws: `not_found`.
    @discardableResult
    func deleteNode(id: String) async throws -> AttestedNode
    /// Deletes up to `limit` nodes that expired before `cutoff`, are not banned, and can re-attest unless
    /// `includingNonReattestable`. - Returns: how many.
    func pruneNodes(expiredBefore cutoff: Int64, includingNonReattestable: Bool, limit: Int) async throws -> Int
}

package protocol BundleReader: Sendable {
    func bundle(trustDomainID: String) async throws -> TrustBundle?
    func listBundles(page: PageRequest?) async throws -> Page<TrustBundle>
    func countBundles() async throws -> Int
}

package protocol BundleWriter: Sendable {
    /// - Throws: `already_exists`.
    func createBundle(_ bundle: TrustBundle) async throws -> TrustBundle
    /// - Throws: `not_found`.
    func updateBundle(_ bundle: TrustBundle, fields: BundleFields) async throws -> TrustBundle
    /// Creates or replaces.
    func setBundle(_ bundle: TrustBundle) async throws -> TrustBundle
    /// Adds authorities that are not there yet; creates the bundle if need be. The sequence number grows by one only
    /// on change.
    func appendBundle(_ bundle: TrustBundle) async throws -> TrustBundle
    /// - Throws: `not_found`; `failed_precondition` in restrict mode with entries federated.
    func deleteBundle(trustDomainID: String, mode: BundleDeletion) async throws
    /// Removes authorities that expired before `cutoff` (unix seconds); refuses to remove all of a kind.
    /// - Returns: whether anything changed.
    func pruneBundle(trustDomainID: String, expiredBefore cutoff: Int64) async throws -> Bool
    func taintX509Authority(trustDomainID: String, subjectKeyID: String) async throws
    func revokeX509Authority(trustDomainID: String, subjectKeyID: String) async throws
    func taintJWTAuthority(trustDomainID: String, keyID: String) async throws -> TrustBundle.JWTAuthority
    func revokeJWTAuthority(trustDomainID: String, keyID: String) async throws -> TrustBundle.JWTAuthority
}

package protocol JoinTokenStore: Sendable {
    /// - Throws: `already_exists`.
    func createJoinToken(_ token: JoinToken) async throws
    func joinToken(_ token: String) async throws -> JoinToken?
    /// Removes the token in one atomic step. - Returns: it, or `nil` when somebody else was first or it never was.
    func takeJoinToken(_ token: String) async throws -> JoinToken?
    func pruneJoinTokens(expiredBefore now: Int64) async throws
}

package protocol CAJournalStore: Sendable {
    /// Inserts when `journal.id` is 0, else updates. - Returns: the stored one with its id.
    func setCAJournal(_ journal: CAJournal) async throws -> CAJournal
    func caJournal(activeX509AuthorityID: String) async throws -> CAJournal?
    func listCAJournals() async throws -> [CAJournal]
    func deleteCAJournal(id: Int64) async throws
}

package protocol FederationStore: Sendable {
    func createFederationRelationship(_ relationship: FederationRelationship) async throws -> FederationRelationship
    func federationRelationship(trustDomain: String) async throws -> FederationRelationship?
    func listFederationRelationships(page: PageRequest?) async throws -> Page<FederationRelationship>
    /// All of them for who follows them: one statement, or less.
    ///
    /// - Parameter mark: Of an earlier reading by the same follower, which has taken it in. If nothing was committed after
    ///   it, nothing is read.
    func federationRelationships(unless mark: FeedMark?) async throws -> RelationshipReading
    /// - Throws: `not_found`.
    func updateFederationRelationship(
        _ relationship: FederationRelationship, fields: RelationshipFields
    ) async throws -> FederationRelationship
    func deleteFederationRelationship(trustDomain: String) async throws
}

/// What changed, in the order of its event rows.
package struct ChangeEvent: Sendable, Hashable {
    package let eventID: Int64
    /// Entry id, or node SPIFFE ID.
    package let key: String
    package init(eventID: Int64, key: String) {
        self.eventID = eventID
        self.key = key
    }
}

package protocol EventReader: Sendable {
    func entryEvents(after eventID: Int64) async throws -> [ChangeEvent]
    func nodeEvents(after eventID: Int64) async throws -> [ChangeEvent]
    func latestEntryEventID() async throws -> Int64
    func latestNodeEventID() async throws -> Int64
    /// Deletes events older than `cutoff` (unix seconds).
    func pruneEvents(olderThan cutoff: Int64) async throws
}

/// Everything a server stores.
package typealias Datastore = EntryReader & EntryWriter & NodeReader & NodeWriter & BundleReader & BundleWriter
    & JoinTokenStore & CAJournalStore & FederationStore & EventReader & EntrySetStore

/// Says that this process has changed entries or nodes, so that indexes need not wait for their next poll.
package protocol ChangeNotifier: Sendable {
    /// Grows after each commit of this process that changed an entry or a node.
    var localChanges: Watch<UInt64> { get }
    /// Whether event rows become visible in the order of their ids, so that none can turn up late.
    var eventsAppearInOrder: Bool { get }
}
