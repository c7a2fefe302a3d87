// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import TestKit
import Testing

@testable import EntryIndex

/// The tree and what it says about its changes, against the plain rules.
@Suite struct TreePropertyTests {
    /// `SPIRE_SLOW_TESTS` runs a hundred thousand steps and more, unless it is empty or 0.
    static let isSlow = !["", "0"].contains(ProcessInfo.processInfo.environment["SPIRE_SLOW_TESTS"] ?? "")
    static let seeds = isSlow ? 0..<60 : 0..<6
    static let steps = isSlow ? 2500 : 800

    /// What an agent holds that is told only what the tree says concerns it.
    typealias Replica = [String: RegistrationEntry]

    @Test("random edits: answers are the rules', and whoever is told only what concerns it holds the same", arguments: seeds)
    func property(seed: Int) {
        let editor = TreeEditor(seed: UInt64(seed))
        var tree = AuthorizationTree(trustDomain: "example.org")
        var slow = SlowAuthorization()
        var replicas: [String: Replica] = [:]
        var step = 0
        while step < Self.steps {
            var concern = Concern(isWanted: true, now: 1)
            // Changes come one by one and in batches.
            for _ in 0...(editor.pick(4) == 0 ? editor.pick(12) : 0) {
                let edit = editor.next { slow.entries[$0] }
                tree.apply(edit, &concern)
                slow.apply(edit)
                step += 1
            }
            for group in concern.groups {
                for path in group.paths { Self.tell(&replicas[path, default: [:]], path, group, tree) }
            }
            for path in TreeEditor.paths {
                let id = TreeEditor.id(path)
                let wanted = slow.authorized(id, now: 1)
                let replica = replicas[path] ?? [:]
                #expect(Set(replica.keys) == wanted, "\(path) at step \(step) of seed \(seed)")
                #expect(replica.allSatisfy { slow.entries[$0.key] == $0.value })
                let fast = tree.unpacked(tree.authorized(agentID: id, now: 1))
                #expect(Set(fast.map(\.id)) == wanted && fast.count == wanted.count)
            }
            Self.checkInverse(tree, slow, "e\(editor.pick(40))")
        }
        for id in slow.entries.keys { tree.removeEntry(id: id) }
        for id in slow.agents.keys { tree.removeAgent(id: id) }
        #expect(tree.entryCount == 0 && tree.agentCount == 0 && tree.vertices.count == 0)
    }

    private static func tell(_ replica: inout Replica, _ path: String, _ group: Concern.Group, _ tree: AuthorizationTree) {
        guard !group.isEverything else {
            let all = tree.unpacked(tree.authorized(agentID: TreeEditor.id(path), now: 1))
            return replica = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0) })
        }
        for key in group.keys {
            if let vertex = tree.vertex(ofID: TreeEditor.id(path)), let slot = tree.slot(of: key),
                tree.isAuthorized(slot, at: vertex, now: 1)
            {
                replica[key.text] = tree.unpacked([slot])[0]
            } else {
                replica[key.text] = nil
            }
        }
    }

    /// "Which agents does this entry concern" is exactly "whose answer contains it".
    private static func checkInverse(_ tree: AuthorizationTree, _ slow: SlowAuthorization, _ id: String) {
        guard let slot = tree.slot(ofEntry: id), !tree.entries[slot].flags.contains(.alias) else { return }
        let reaching = Set(tree.reaching(tree.entries[slot].parent, now: 1).map { tree.path(at: $0) })
        let wanted = TreeEditor.paths.filter { slow.authorized(TreeEditor.id($0), now: 1).contains(id) }
        // Paths that nothing refers to are no vertices, and nobody's.
        #expect(reaching == Set(wanted), "\(id)")
    }

    @Test("a copy is untouched by a thousand edits of the original")
    func snapshot() {
        let editor = TreeEditor(seed: 4711)
        var tree = AuthorizationTree(trustDomain: "example.org")
        var slow = SlowAuthorization()
        var nobody = Concern.ignored()
        func edit() {
            let edit = editor.next { slow.entries[$0] }
            tree.apply(edit, &nobody)
            slow.apply(edit)
        }
        for _ in 0..<500 { edit() }
        let (copy, then) = (tree, slow)
        for _ in 0..<1000 { edit() }
        for path in TreeEditor.paths {
            let found = copy.unpacked(copy.authorized(agentID: TreeEditor.id(path), now: 1))
            #expect(Set(found.map(\.id)) == then.authorized(TreeEditor.id(path), now: 1))
            #expect(found.allSatisfy { then.entries[$0.id] == $0 })
        }
    }
}
