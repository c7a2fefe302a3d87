// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Logging
import Synchronization
import TestKit
import Testing

@testable import EntryIndex

@Suite struct EntryIndexTests {
    private let agent = "spiffe://example.org/agent"

    private func index(_ store: FakeStore, _ clock: ManualClock) -> EntryIndex {
        EntryIndex(
            store: store, trustDomain: "example.org", board: AgentBoard(time: clock, random: SeededRandom()),
            time: clock, logger: Logger(label: "test"))
    }

    @Test("after a load, entries of the agent are there, by id as well")
    func load() async throws {
        let store = FakeStore()
        for number in 0..<4500 { store.set(.sample("/w\(number)", parent: "/agent", id: "e\(number)")) }
        let index = index(store, ManualClock())
        try await index.load()
        #expect(try await index.authorizedEntries(agentID: agent).count == 4500)
        let some = try await index.authorizedEntries(agentID: agent, ids: ["e1", "e4000", "none"])
        #expect(Set(some.keys) == ["e1", "e4000"])
        #expect(try await index.authorizedEntries(agentID: "spiffe://example.org/x", ids: ["e1"]).isEmpty)
        #expect(index.counts.entries == 4500)
    }

    @Test("changes, deletions and late rows are taken over at the next poll")
    func poll() async throws {
        let store = FakeStore()
        let clock = ManualClock()
        let index = index(store, clock)
        try await index.load()
        store.set(.sample("/a", parent: "/agent", id: "a"))
        store.set(.sample("/b", parent: "/agent", id: "b"))
        try await index.refresh()
        #expect(try await index.authorizedEntries(agentID: agent).count == 2)
        let late = store.reserveEvent()
        store.remove("a")
        try await index.refresh()
        #expect(try await index.authorizedEntries(agentID: agent).map(\.id) == ["b"])
        store.set(.sample("/c", parent: "/agent", id: "c"), event: late)
        clock.advance(by: .seconds(1))
        try await index.refresh()
        #expect(try await index.authorizedEntries(agentID: agent).map(\.id).sorted() == ["b", "c"])
    }

    @Test("a node's selectors, expiry and removal count at once")
    func nodes() async throws {
        let store = FakeStore()
        let clock = ManualClock()
        let now = Int64(clock.now.timeIntervalSince1970)
        let index = index(store, clock)
        store.set(.sample("/rack", parent: "/spire/server", "dc:1", id: "alias"))
        store.set(.sample("/w", parent: "/rack", id: "w"))
        try await index.load()
        #expect(try await index.authorizedEntries(agentID: agent).isEmpty)
        store.setNode(agent, expiresAt: now + 60, [Selector(type: "unix", value: "dc:1")])
        try await index.refresh()
        #expect(try await index.authorizedEntries(agentID: agent).map(\.id) == ["w"])
        clock.advance(by: .seconds(61))
        #expect(try await index.authorizedEntries(agentID: agent).isEmpty)
        try await index.refresh()
        #expect(index.counts.agents == 0)
    }

    @Test("where the datastore can tell that nothing was committed nothing is read, and what was read stays vouched for")
    func unchanged() async throws {
        let store = FakeStore()
        store.knowsItsState.withLock { $0 = true }
        let clock = ManualClock()
        let vouched = Mutex(0)
        let index = EntryIndex(
            store: store, trustDomain: "example.org", board: AgentBoard(time: clock, random: SeededRandom()),
            bundlesSeen: { stamps in vouched.withLock { $0 += stamps.count } }, time: clock, logger: Logger(label: "test"))
        try await index.load()
        try await index.refresh()
        let reads = store.feedReads.withLock { $0 }
        for _ in 0..<5 { try await index.refresh() }
        #expect(store.feedReads.withLock { $0 } == reads)
        #expect(vouched.withLock { $0 } == 6)
        store.set(.sample("/a", parent: "/agent", id: "a"))
        store.failsEntries.withLock { $0 = true }
        await #expect(throws: SpireError.self) { try await index.refresh() }
        store.failsEntries.withLock { $0 = false }
        // Nothing was committed since, but what failed is still to be done.
        try await index.refresh()
        #expect(store.feedReads.withLock { $0 } == reads + 1)
        #expect(try await index.authorizedEntries(agentID: agent).map(\.id) == ["a"])
        // A full load stands for itself: its first look reads.
        try await index.load()
        try await index.refresh()
        #expect(store.feedReads.withLock { $0 } > reads + 1)
    }

    @Test("a datastore that fails loses no change")
    func failure() async throws {
        let store = FakeStore()
        let index = index(store, ManualClock())
        try await index.load()
        store.set(.sample("/a", parent: "/agent", id: "a"))
        store.failsEntries.withLock { $0 = true }
        await #expect(throws: SpireError.self) { try await index.refresh() }
        store.failsEntries.withLock { $0 = false }
        try await index.refresh()
        #expect(try await index.authorizedEntries(agentID: agent).count == 1)
    }

    @Test("a running index follows local changes without the clock, and others' at the poll")
    func run() async throws {
        let store = FakeStore()
        let clock = ManualClock()
        let index = index(store, clock)
        try await index.load()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await index.run() }
            store.set(.sample("/a", parent: "/agent", id: "a"))
            store.localChanges.update { $0 += 1 }
            while try await index.authorizedEntries(agentID: agent).isEmpty { await Task.yield() }
            // The poll, and the clock of the streams.
            await clock.sleepers(2)
            store.set(.sample("/b", parent: "/agent", id: "b"))
            clock.advance(by: .seconds(1))
            while try await index.authorizedEntries(agentID: agent).count < 2 { await Task.yield() }
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result { #expect(error is CancellationError) }
            }
        }
    }
}
