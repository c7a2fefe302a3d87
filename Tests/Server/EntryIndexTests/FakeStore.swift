// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Synchronization

/// Entries, nodes and events in memory; events may be given out now and become visible later.
final class FakeStore: EntryReader, NodeReader, EventReader, ChangeNotifier {
    private struct State {
        var entries: [String: RegistrationEntry] = [:]
        var nodes: [String: AttestedNode] = [:]
        var entryEvents: [Int64: String] = [:]
        var nodeEvents: [Int64: String] = [:]
        var nextEvent: Int64 = 1
    }

    private let state = Mutex(State())
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
        state.withLock { Self.events($0.entryEvents, eventID) }
    }
    func nodeEvents(after eventID: Int64) async throws -> [ChangeEvent] {
        state.withLock { Self.events($0.nodeEvents, eventID) }
    }
    func latestEntryEventID() async throws -> Int64 { state.withLock { $0.entryEvents.keys.max() ?? 0 } }
    func latestNodeEventID() async throws -> Int64 { state.withLock { $0.nodeEvents.keys.max() ?? 0 } }
    func pruneEvents(olderThan cutoff: Int64) async throws {}

    private static func events(_ rows: [Int64: String], _ after: Int64) -> [ChangeEvent] {
        rows.filter { $0.key > after }.sorted { $0.key < $1.key }.map { ChangeEvent(eventID: $0.key, key: $0.value) }
    }
}
