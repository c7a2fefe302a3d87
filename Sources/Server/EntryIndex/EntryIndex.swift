// SPDX-License-Identifier: Apache-2.0

package import Datastore
import FoundationEssentials
package import Groundwork
package import Logging
import Synchronization

/// The entries of the trust domain in memory, kept current by the datastore's change events.
///
/// `load()` once, then `run()`; answers come from the state of the last change taken over, without waiting for it.
package final class EntryIndex: AuthorizedEntries {
    typealias Source = EntryReader & NodeReader & EventReader

    /// What the following of events has come to; touched by `load`, `refresh` and `run` only, one at a time.
    private struct Following: Sendable {
        var entries: EventFeed
        var nodes: EventFeed
        var pendingEntries: Set<String> = []
        var pendingNodes: Set<String> = []
        var isLoaded = false
        var lastLoad: Duration = .zero
        var lastPoll: Duration = .zero
        var lastSweep: Duration = .zero
    }

    private let store: any EntryReader & NodeReader & EventReader
    private let trustDomain: String
    private let configuration: EntryIndexConfiguration
    private let localChanges: Watch<UInt64>
    private let time: any TimeSource
    private let logger: Logger
    private let overlap: Duration
    private let tree: Mutex<AuthorizationTree>
    private let following: Mutex<Following>
    /// Grows with every reason to look at the datastore.
    private let wake = Watch<UInt64>(0)

    private static let pageSize = 2000
    /// Above this many changed nodes all are read at once.
    private static let nodeByNode = 500
    private static let sweepInterval: Duration = .seconds(60)
    /// After so long without a look, event rows may have been pruned unseen.
    private static let blindness: Duration = .seconds(1800)

    /// - Parameters:
    ///   - store: If it is a `ChangeNotifier`, its signal wakes the index at once after local changes.
    ///   - trustDomain: Bare name; entries and agents of others are ignored.
    ///   - localChanges: Another such signal.
    package init(
        store: any EntryReader & NodeReader & EventReader, trustDomain: String,
        configuration: EntryIndexConfiguration = .init(), localChanges: Watch<UInt64>? = nil,
        time: any TimeSource, logger: Logger
    ) {
        let notifier = store as? any ChangeNotifier
        self.store = store
        self.trustDomain = trustDomain
        self.configuration = configuration
        self.localChanges = localChanges ?? notifier?.localChanges ?? Watch(0)
        self.time = time
        self.logger = logger
        self.overlap = notifier?.eventsAppearInOrder == true ? .zero : configuration.overlap
        self.tree = Mutex(AuthorizationTree(trustDomain: trustDomain))
        self.following = Mutex(
            Following(entries: EventFeed(overlap: overlap), nodes: EventFeed(overlap: overlap)))
    }

    // MARK: Answers

    package func authorizedEntries(agentID: String) async throws -> [RegistrationEntry] {
        let snapshot = tree.withLock { $0 }
        return snapshot.unpacked(snapshot.authorized(agentID: agentID, now: unixNow))
    }

    package func authorizedEntries(
        agentID: String, ids: Set<String>
    ) async throws -> [String: RegistrationEntry] {
        let snapshot = tree.withLock { $0 }
        let wanted = Set(ids.compactMap { snapshot.slot(ofEntry: $0) })
        if wanted.isEmpty { return [:] }
        let slots = snapshot.authorized(agentID: agentID, now: unixNow).filter(wanted.contains)
        var found: [String: RegistrationEntry] = [:]
        for entry in snapshot.unpacked(slots) { found[entry.id] = entry }
        return found
    }

    /// How many entries and agents the index holds.
    package var counts: (entries: Int, agents: Int) {
        let snapshot = tree.withLock { $0 }
        return (snapshot.entryCount, snapshot.agentCount)
    }

    private var unixNow: Int64 { Int64(time.now.timeIntervalSince1970) }

    // MARK: Following

    /// Makes the running index look at the datastore without waiting for its next poll.
    package func noteLocalChange() { wake.update { $0 &+= 1 } }

    /// Keeps the index current until cancelled. Failures are logged and tried again at the next poll.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                for await _ in localChanges.changes() { noteLocalChange() }
            }
            group.addTask { [self] in
                while true {
                    try await time.sleep(for: configuration.pollInterval)
                    noteLocalChange()
                }
            }
            group.addTask { [self] in
                for await _ in wake.changes() {
                    do {
                        try await refresh()
                    } catch is CancellationError {
                        return
                    } catch {
                        logger.error("Failed to reload entry cache", metadata: [LogKey.error: "\(error)"])
                    }
                }
            }
            defer { group.cancelAll() }
            try await group.next()
            try Task.checkCancellation()
            // The local signal has ended, which leaves the timer.
            try await group.next()
        }
    }

    /// Brings the index up to the datastore's present state. Not to be called while `run` runs.
    package func refresh() async throws {
        let now = time.uptime
        let state = following.withLock { $0 }
        if !state.isLoaded || now - state.lastLoad >= configuration.fullReloadInterval
            || now - state.lastPoll >= Self.blindness
        {
            return try await load()
        }
        // Wakes between polls only look at what is new; polls go back for late rows.
        let isPoll = now - state.lastPoll >= configuration.pollInterval
        let entryEvents = try await store.entryEvents(after: isPoll ? state.entries.floor : state.entries.last)
        let nodeEvents = try await store.nodeEvents(after: isPoll ? state.nodes.floor : state.nodes.last)
        let (entries, nodes) = following.withLock { state in
            state.pendingEntries.formUnion(state.entries.take(entryEvents, isComplete: isPoll, now: now))
            state.pendingNodes.formUnion(state.nodes.take(nodeEvents, isComplete: isPoll, now: now))
            return (state.pendingEntries, state.pendingNodes)
        }
        if !entries.isEmpty { try await take(entries: entries) }
        if !nodes.isEmpty { try await take(nodes: nodes) }
        following.withLock { if isPoll { $0.lastPoll = now } }
        if now - state.lastSweep >= Self.sweepInterval { sweep(now) }
    }

    private func take(entries ids: Set<String>) async throws {
        var rest = Array(ids)[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Self.pageSize))
            rest = rest.dropFirst(part.count)
            let found = try await store.entries(ids: part)
            let present = Set(found.map(\.id))
            change(size: part.count) { tree in
                for id in part where !present.contains(id) { tree.removeEntry(id: id) }
                for entry in found { tree.set(entry) }
            }
        }
        following.withLock { $0.pendingEntries.subtract(ids) }
    }

    private func take(nodes ids: Set<String>) async throws {
        if ids.count > Self.nodeByNode {
            let nodes = try await validNodes()
            let present = Set(nodes.map(\.spiffeID))
            change(size: nodes.count) { tree in
                for id in ids where !present.contains(id) { tree.removeAgent(id: id) }
                for node in nodes {
                    tree.setAgent(id: node.spiffeID, expiresAt: node.expiresAt, selectors: node.selectors)
                }
            }
        } else {
            for id in ids.sorted() {
                let node = try await store.node(id: id)
                let selectors = node == nil ? [] : try await store.nodeSelectors(id: id)
                change(size: 1) { tree in
                    if let node {
                        tree.setAgent(id: id, expiresAt: node.expiresAt, selectors: selectors)
                    } else {
                        tree.removeAgent(id: id)
                    }
                }
            }
        }
        following.withLock { $0.pendingNodes.subtract(ids) }
    }

    /// Loads everything and puts it in place of what was there. To be called before the index answers; later calls
    /// are up to `run`.
    package func load() async throws {
        let now = time.uptime
        // Where events stand is noted first: what changes during the load is then looked at once more.
        var entryFeed = EventFeed(overlap: overlap)
        var nodeFeed = EventFeed(overlap: overlap)
        let entriesFrom = entryFeed.start(latest: try await store.latestEntryEventID())
        let nodesFrom = nodeFeed.start(latest: try await store.latestNodeEventID())
        if overlap != .zero {
            _ = entryFeed.take(try await store.entryEvents(after: entriesFrom), isComplete: true, now: now)
            _ = nodeFeed.take(try await store.nodeEvents(after: nodesFrom), isComplete: true, now: now)
        }
        var fresh = AuthorizationTree(trustDomain: trustDomain)
        var page = PageRequest(size: Self.pageSize)
        repeat {
            let found = try await store.listEntries(EntryFilter(), page: page)
            for entry in found.items { fresh.set(entry) }
            page.token = found.items.count < page.size ? "" : found.nextToken
        } while !page.token.isEmpty
        for node in try await validNodes() {
            fresh.setAgent(id: node.spiffeID, expiresAt: node.expiresAt, selectors: node.selectors)
        }
        tree.withLock { $0 = fresh }
        following.withLock { state in
            state = Following(entries: entryFeed, nodes: nodeFeed)
            state.isLoaded = true
            state.lastLoad = now
            state.lastPoll = now
            state.lastSweep = now
        }
    }

    /// Changes the tree; large changes on a copy, so that answers do not wait. There is one changer at a time.
    private func change(size: Int, _ body: (inout AuthorizationTree) -> Void) {
        if size <= 64 { return tree.withLock { body(&$0) } }
        var copy = tree.withLock { $0 }
        body(&copy)
        tree.withLock { [copy] in $0 = copy }
    }

    private func validNodes() async throws -> [AttestedNode] {
        var filter = NodeFilter()
        filter.validAt = unixNow
        return try await store.listNodes(filter, page: nil, withSelectors: true).items
    }

    /// Lets go of agents that have expired; answers leave their aliases out already.
    private func sweep(_ now: Duration) {
        let unix = unixNow
        tree.withLock { $0.removeAgents(expiredBefore: unix) }
        following.withLock { $0.lastSweep = now }
    }
}
