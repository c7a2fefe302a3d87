// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Synchronization
import TestKit

/// Entries, nodes and events in memory; events may be given out now and become visible later.
final class FakeStore: EntryReader, NodeReader, EventReader, FeedReader, ChangeNotifier {
    private struct State {
        var entries: [String: RegistrationEntry] = [:]
        var nodes: [String: AttestedNode] = [:]
        var entryEvents: [Int64: String] = [:]
        var nodeEvents: [Int64: String] = [:]
        var nextEvent: Int64 = 1
        /// Events that become visible later, and when.
        var late: [(at: Duration, event: Int64, key: String, isNode: Bool)] = []
        var clock: ManualClock?
        var doubled: Set<Int64> = []
    }

    private let state = Mutex(State())
    /// Whether the store can tell that nothing was committed, and how often it was read because something was.
    let knowsItsState = Mutex(false)
    let feedReads = Mutex(0)
    let failsEntries = Mutex(false)
    let localChanges = Watch<UInt64>(0)
    let eventsAppearInOrder = false

    func reserveEvent() -> Int64 {
        state.withLock { state in
            state.nextEvent += 1
            return state.nextEvent - 1
        }
    }

    func set(_ entry: RegistrationEntry, event: Int64? = nil) {
        let event = event ?? reserveEvent()
        state.withLock { state in
            state.entries[entry.id] = entry
            state.entryEvents[event] = entry.id
        }
    }

    func remove(_ id: String) {
        let event = reserveEvent()
        state.withLock { state in
            state.entries[id] = nil
            state.entryEvents[event] = id
        }
    }

    func setNode(_ id: String, expiresAt: Int64, _ selectors: [Selector]) {
        let event = reserveEvent()
        var node = AttestedNode(spiffeID: id, attestationType: "x", serialNumber: "1", expiresAt: expiresAt)
        node.selectors = selectors
        state.withLock { [node] state in
            state.nodes[id] = node
            state.nodeEvents[event] = id
        }
    }

    func entry(id: String) async throws -> RegistrationEntry? { state.withLock { $0.entries[id] } }

    func entries(ids: [String]) async throws -> [RegistrationEntry] {
        if failsEntries.withLock({ $0 }) { throw SpireError(.unavailable, "gone") }
        return state.withLock { state in ids.compactMap { state.entries[$0] } }
    }

    func listEntries(_ filter: EntryFilter, page: PageRequest?) async throws -> Page<RegistrationEntry> {
        state.withLock { state in
            let all = state.entries.values.sorted { $0.id < $1.id }
            guard let page else { return Page(all) }
            let start = Int(page.token) ?? 0
            let items = Array(all.dropFirst(start).prefix(page.size))
            return Page(items, nextToken: items.isEmpty ? "" : String(start + items.count))
        }
    }

    func countEntries(_ filter: EntryFilter) async throws -> Int { state.withLock { $0.entries.count } }
    func node(id: String) async throws -> AttestedNode? { state.withLock { $0.nodes[id] } }
    func nodeSelectors(id: String) async throws -> [Selector] { state.withLock { $0.nodes[id]?.selectors ?? [] } }

    func listNodes(_ filter: NodeFilter, page: PageRequest?, withSelectors: Bool) async throws -> Page<AttestedNode> {
        state.withLock { state in
            Page(state.nodes.values.filter { $0.expiresAt >= filter.validAt ?? .min })
        }
    }

    func countNodes(_ filter: NodeFilter) async throws -> Int { state.withLock { $0.nodes.count } }

    func entryEvents(after eventID: Int64) async throws -> [ChangeEvent] {
        state.withLock { state in
            Self.appear(&state)
            return Self.events(state.entryEvents, eventID, state.doubled)
        }
    }
    func nodeEvents(after eventID: Int64) async throws -> [ChangeEvent] {
        state.withLock { state in
            Self.appear(&state)
            return Self.events(state.nodeEvents, eventID, [])
        }
    }

    func feed(entriesAfter: Int64, nodesAfter: Int64, unless mark: FeedMark?) async throws -> FeedReading {
        let current = state.withLock { state -> FeedMark? in
            Self.appear(&state)
            guard knowsItsState.withLock({ $0 }) else { return nil }
            return FeedMark(counter: 1, value: Int64(state.entryEvents.count + state.nodeEvents.count))
        }
        if let current, current == mark { return FeedReading(entries: [], nodes: [], mark: mark, isUnchanged: true) }
        feedReads.withLock { $0 += 1 }
        return FeedReading(
            entries: try await entryEvents(after: entriesAfter), nodes: try await nodeEvents(after: nodesAfter),
            bundles: [BundleStamp(trustDomainID: "spiffe://example.org", stamp: "1")], mark: current)
    }

    func latestEntryEventID() async throws -> Int64 { state.withLock { $0.entryEvents.keys.max() ?? 0 } }
    func latestNodeEventID() async throws -> Int64 { state.withLock { $0.nodeEvents.keys.max() ?? 0 } }
    func pruneEvents(olderThan cutoff: Int64) async throws {}

    private static func events(_ rows: [Int64: String], _ after: Int64, _ doubled: Set<Int64>) -> [ChangeEvent] {
        rows.filter { $0.key > after }.sorted { $0.key < $1.key }.flatMap { row in
            let event = ChangeEvent(eventID: row.key, key: row.value)
            return doubled.contains(row.key) ? [event, event] : [event]
        }
    }

    // MARK: Disorder

    /// Makes an edit now, as a transaction whose event row, numbered now, appears with the change only after a while.
    func apply(_ edit: Edit, visibleAfter delay: Duration, on clock: ManualClock) {
        state.withLock { state in
            state.clock = clock
            // Ids step, as they do with several masters.
            state.nextEvent += Int64(1 + state.nextEvent % 3)
            let event = state.nextEvent
            let (key, isNode): (String, Bool)
            switch edit {
            case .set(let entry):
                state.entries[entry.id] = entry
                (key, isNode) = (entry.id, false)
            case .remove(let id):
                state.entries[id] = nil
                (key, isNode) = (id, false)
            case .setAgent(let id, let expiresAt, let selectors):
                var node = AttestedNode(spiffeID: id, attestationType: "x", serialNumber: "1", expiresAt: expiresAt)
                node.selectors = selectors
                state.nodes[id] = node
                (key, isNode) = (id, true)
            case .removeAgent(let id):
                state.nodes[id] = nil
                (key, isNode) = (id, true)
            }
            state.late.append((clock.uptime + delay, event, key, isNode))
        }
    }

    func doubleSomeEvent() {
        state.withLock { state in
            if let event = state.entryEvents.keys.max() { state.doubled.insert(event) }
        }
    }

    private static func appear(_ state: inout State) {
        guard let now = state.clock?.uptime else { return }
        for row in state.late where row.at <= now {
            if row.isNode { state.nodeEvents[row.event] = row.key } else { state.entryEvents[row.event] = row.key }
        }
        state.late.removeAll { $0.at <= now }
    }
}
