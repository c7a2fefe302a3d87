// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Logging
import TestKit
import Testing

@testable import EntryIndex

/// The whole index with its streams, against the plain rules, while event rows appear late, doubled and out of order.
@Suite struct IndexPropertyTests {
    static let seeds = TreePropertyTests.isSlow ? 100..<140 : 100..<104
    static let steps = TreePropertyTests.isSlow ? 2500 : 500

    /// An agent at the end of a stream.
    private struct Replica {
        var held: [String: RegistrationEntry] = [:]
        var position: StreamPosition?
        var follower: AgentFollower?

        mutating func take(_ index: EntryIndex) {
            guard let follower else { return }
            let news = follower.news()
            switch news.entries {
            case .none: break
            case .some(let changed, let removed):
                for id in removed { held[id] = nil }
                for entry in changed { held[entry.id] = entry }
            case .unknown: restart(follower)
            }
            position = news.position
        }

        mutating func restart(_ follower: AgentFollower) {
            let (set, position) = follower.everything()
            held = Dictionary(uniqueKeysWithValues: set.entries(0..<set.count).map { ($0.id, $0) })
            self.position = position
        }

        mutating func open(_ index: EntryIndex, _ id: String) {
            guard let follower = index.follow(agentID: id) else { return }
            self.follower = follower
            if let position, follower.resume(from: position) { return }
            restart(follower)
        }
    }

    @Test("with a disorderly feed every stream ends with what the rules say", arguments: seeds)
    func property(seed: Int) async throws {
        let clock = ManualClock(Date(timeIntervalSince1970: 1))
        let store = FakeStore()
        var configuration = EntryIndexConfiguration()
        configuration.overlap = .seconds(60)
        let index = EntryIndex(
            store: store, trustDomain: "example.org", configuration: configuration,
            board: AgentBoard(time: clock, random: SeededRandom()), time: clock, logger: Logger(label: "test"))
        let editor = TreeEditor(seed: UInt64(seed))
        var slow = SlowAuthorization()
        var replicas: [String: Replica] = [:]
        try await index.load()
        for step in 0..<Self.steps {
            let edit = Self.later(editor.next { slow.entries[$0] })
            slow.apply(edit)
            // Some rows become visible later than their turn, some twice.
            store.apply(edit, visibleAfter: editor.pick(3) == 0 ? .seconds(editor.pick(20)) : .zero, on: clock)
            if editor.pick(10) == 0 { store.doubleSomeEvent() }
            clock.advance(by: .milliseconds(editor.pick(400)))
            if editor.pick(2) == 0 { try await index.refresh() }
            let path = TreeEditor.paths[editor.pick(15)]
            if editor.pick(20) == 0 {
                replicas[path]?.follower?.end()
                replicas[path]?.follower = nil
            } else if replicas[path]?.follower == nil {
                replicas[path, default: Replica()].open(index, TreeEditor.id(path))
            } else {
                replicas[path]?.take(index)
            }
            guard step % 50 == 49 else { continue }
            // Once everything late has appeared and was looked for, all agree.
            clock.advance(by: .seconds(31))
            try await index.refresh()
            let now = Int64(clock.now.timeIntervalSince1970)
            for path in TreeEditor.paths {
                let id = TreeEditor.id(path)
                let wanted = slow.authorized(id, now: now)
                let fast = try await index.authorizedEntries(agentID: id)
                #expect(Set(fast.map(\.id)) == wanted)
                guard replicas[path]?.follower != nil else { continue }
                replicas[path]?.take(index)
                let held = replicas[path]?.held ?? [:]
                #expect(Set(held.keys) == wanted, "\(path) at step \(step) of seed \(seed)")
                #expect(held.allSatisfy { slow.entries[$0.key] == $0.value })
            }
        }
    }

    /// Agents that live on or have long expired: time passes here.
    private static func later(_ edit: Edit) -> Edit {
        guard case .setAgent(let id, let expiresAt, let selectors) = edit else { return edit }
        return .setAgent(id, expiresAt: expiresAt == 0 ? 0 : 1 << 40, selectors)
    }
}
