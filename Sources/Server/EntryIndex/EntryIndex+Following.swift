// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging
import Synchronization
import Telemetry

extension EntryIndex {
    private static let pageSize = 2000
    /// Above this many changed nodes all are read at once.
    private static let nodeByNode = 500
    private static let sweepInterval: Duration = .seconds(60)
    /// After so long without a look, event rows may have been pruned unseen.
    private static let blindness: Duration = .seconds(1800)

    /// Makes the running index look at the datastore without waiting for its next poll.
    package func noteLocalChange() { wake.update { $0 &+= 1 } }

    /// Others write to the same database.
    private var isShared: Bool { overlap != .zero }

    /// Keeps the index current until cancelled. Failures are logged and tried again at the next poll.
    package func run() async throws {
        let interval =
            isShared ? min(configuration.pollInterval, configuration.sharedPollInterval) : configuration.pollInterval
        looks.areMade(true)
        defer { looks.areMade(false) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                for await _ in localChanges.changes() { noteLocalChange() }
            }
            group.addTask { [board] in try await board.keepTime() }
            group.addTask { [self] in
                while true {
                    try await time.sleep(for: interval)
                    noteLocalChange()
                }
            }
            group.addTask { [self] in
                for await _ in wake.changes() {
                    do {
                        try await looks.make { try await refresh() }
                        reportCounts()
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
        let hasForgotten = state.entries.hasForgotten || state.nodes.hasForgotten
        if !state.isLoaded || now - state.lastLoad >= configuration.fullReloadInterval
            || now - state.lastLook >= Self.blindness
            || hasForgotten && now - state.lastLoad >= configuration.deepInterval
        {
            return try await load()
        }
        let isDeep = !isShared || now - state.lastDeepLook >= configuration.deepInterval
        let reading = try await read(
            entriesAfter: state.entries.from(isDeep: isDeep), nodesAfter: state.nodes.from(isDeep: isDeep),
            unless: state.mark)
        let (entries, nodes) = following.withLock { state in
            state.pendingEntries.formUnion(state.entries.take(reading.entries, isDeep: isDeep, now: now))
            state.pendingNodes.formUnion(state.nodes.take(reading.nodes, isDeep: isDeep, now: now))
            state.lastLook = now
            if isDeep { state.lastDeepLook = now }
            state.mark = reading.mark
            if !reading.isUnchanged { state.bundles = reading.bundles }
            return (state.pendingEntries, state.pendingNodes)
        }
        // Unchanged is news too: what was read of them stays right.
        if let bundles = reading.isUnchanged ? state.bundles : reading.bundles { bundlesSeen?(bundles) }
        if !entries.isEmpty { try await take(entries: entries) }
        if !nodes.isEmpty { try await take(nodes: nodes) }
        if now - state.lastSweep >= Self.sweepInterval { sweep(now) }
    }

    /// One look at the datastore.
    private func read(
        entriesAfter: Int64, nodesAfter: Int64, unless mark: FeedMark? = nil
    ) async throws -> FeedReading {
        if let reader = store as? any FeedReader {
            return try await reader.feed(entriesAfter: entriesAfter, nodesAfter: nodesAfter, unless: mark)
        }
        return FeedReading(
            entries: try await store.entryEvents(after: entriesAfter),
            nodes: try await store.nodeEvents(after: nodesAfter))
    }

    private func take(entries ids: Set<String>) async throws {
        var rest = Array(ids)[...]
        while !rest.isEmpty {
            let part = Array(rest.prefix(Self.pageSize))
            rest = rest.dropFirst(part.count)
            let found = IncomingEntries(try await store.entryRecords(ids: part), OwnDomain(trustDomain))
            let present = Set(found.facts.map(\.key))
            change(size: part.count) { tree, concern in
                for key in part.map(EntryKey.init) where !present.contains(key) { tree.remove(key, &concern) }
                tree.set(found, &concern)
            }
        }
        following.withLock { $0.pendingEntries.subtract(ids) }
    }

    private func take(nodes ids: Set<String>) async throws {
        if ids.count > Self.nodeByNode {
            let nodes = try await validNodes()
            let present = Set(nodes.map(\.spiffeID))
            change(size: nodes.count) { tree, concern in
                for id in ids where !present.contains(id) { tree.removeAgent(id: id, &concern) }
                for node in nodes { tree.setAgent(node, &concern) }
            }
        } else {
            for id in ids.sorted() {
                guard let node = try await store.node(id: id) else {
                    change(size: 1) { $0.removeAgent(id: id, &$1) }
                    continue
                }
                let selectors = try await store.nodeSelectors(id: id)
                change(size: 1) {
                    $0.setAgent(id: id, expiresAt: node.expiresAt, selectors: selectors, &$1)
                }
            }
        }
        let snapshot = self.snapshot
        board.post(agents: ids.compactMap { snapshot.domain.path(of: $0) })
        following.withLock { $0.pendingNodes.subtract(ids) }
    }

    /// Loads everything and puts it in place of what was there. To be called before the index answers; later calls
    /// are up to `run`.
    package func load() async throws {
        try await reloads.measure(time) { try await loadAll() }
        reportCounts()
    }

    private func loadAll() async throws {
        let now = time.uptime
        // Where events stand is noted first: what changes during the load is then looked at once more.
        var entryFeed = EventFeed(overlap: overlap)
        var nodeFeed = EventFeed(overlap: overlap)
        let entriesFrom = entryFeed.start(latest: try await store.latestEntryEventID())
        let nodesFrom = nodeFeed.start(latest: try await store.latestNodeEventID())
        if isShared {
            let seen = try await read(entriesAfter: entriesFrom, nodesAfter: nodesFrom)
            _ = entryFeed.take(seen.entries, isDeep: true, now: now)
            _ = nodeFeed.take(seen.nodes, isDeep: true, now: now)
        }
        var fresh = AuthorizationTree(trustDomain: trustDomain)
        var nobody = Concern.ignored()
        let domain = fresh.domain
        var found = try await incoming(after: "", domain)
        while let token = found.nextToken {
            // Read on while this piece is put into the tree.
            async let following = incoming(after: token, domain)
            fresh.set(found.entries, &nobody)
            found = try await following
        }
        fresh.set(found.entries, &nobody)
        for node in try await validNodes() { fresh.setAgent(node, &nobody) }
        board.begin()
        defer { board.finish() }
        tree.withLock { $0 = fresh }
        following.withLock { state in
            state = Following(entries: entryFeed, nodes: nodeFeed)
            state.isLoaded = true
            state.lastLoad = now
            state.lastLook = now
            state.lastDeepLook = now
            state.lastSweep = now
        }
        board.postDoubt()
    }

    /// A page of all entries; no token comes after the last.
    private func incoming(
        after token: String, _ domain: OwnDomain
    ) async throws -> (entries: IncomingEntries, nextToken: String?) {
        let page = try await store.listEntryRecords(
            EntryFilter(), page: PageRequest(token: token, size: Self.pageSize))
        let isLast = page.entries.count < Self.pageSize || page.nextToken.isEmpty
        return (IncomingEntries(page.entries, domain), isLast ? nil : page.nextToken)
    }

    private func validNodes() async throws -> [AttestedNode] {
        var filter = NodeFilter()
        filter.validAt = unixNow
        return try await store.listNodes(filter, page: nil, withSelectors: true).items
    }

    /// Lets go of agents that have expired (answers leave their aliases out already) and of forgotten mailboxes.
    private func sweep(_ now: Duration) {
        let unix = unixNow
        change(size: 1) { $0.removeAgents(expiredBefore: unix, &$1) }
        board.sweep()
        following.withLock { $0.lastSweep = now }
    }
}

extension AuthorizationTree {
    /// - Parameter node: With its selectors.
    mutating func setAgent(_ node: AttestedNode, _ concern: inout Concern) {
        setAgent(id: node.spiffeID, expiresAt: node.expiresAt, selectors: node.selectors, &concern)
    }
}
