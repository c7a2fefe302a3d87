// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

extension DatastoreConformance {
    private static func node(_ name: String, expiresAt: Int64 = 1000, type: String = "x509pop") -> AttestedNode {
        AttestedNode(
            spiffeID: "spiffe://example.org/spire/agent/\(name)", attestationType: type, serialNumber: "1" + name,
            expiresAt: expiresAt, canReattest: true)
    }

    static let nodes: [Check] = [
        Check("a node comes back as it was created, once") { store in
            var node = node("a")
            node.newSerialNumber = "77"
            node.newExpiresAt = 2000
            node.agentVersion = "1.16.0"
            try await store.createNode(node)
            try requireEqual(try await store.node(id: node.spiffeID), node)
            try requireEqual(try await store.node(id: "none"), nil)
            let again = node
            try await requireFailure(.alreadyExists) { try await store.createNode(again) }
            try requireEqual(try await store.countNodes(NodeFilter()), 1)
        },
        Check("a node's update changes what its mask names") { store in
            let first = node("a")
            try await store.createNode(first)
            var wanted = node("a", expiresAt: 5000, type: "ignored")
            wanted.serialNumber = ""
            wanted.newSerialNumber = "5"
            wanted.newExpiresAt = 6000
            wanted.canReattest = false
            wanted.agentVersion = "9"
            var expected = first
            expected.newSerialNumber = "5"
            expected.newExpiresAt = 6000
            try requireEqual(try await store.updateNode(wanted, fields: [.newSerialNumber, .newExpiresAt]), expected)
            wanted.attestationType = first.attestationType
            let every: NodeFields = [
                .serialNumber, .expiresAt, .newSerialNumber, .newExpiresAt, .canReattest, .agentVersion,
            ]
            try requireEqual(try await store.updateNode(wanted, fields: every), wanted)
            try requireEqual(try await store.node(id: first.spiffeID), wanted)
            try await requireFailure(.notFound, "datastore-sql: record not found") {
                _ = try await store.updateNode(node("none"), fields: every)
            }
        },
        Check("node selectors are replaced as a set, sorted and without doubles") { store in
            let a = Selector(type: "t", value: "a")
            let b = Selector(type: "t", value: "b")
            try await store.setNodeSelectors(id: "n", [b, a, b])
            try requireEqual(try await store.nodeSelectors(id: "n"), [a, b])
            try await store.setNodeSelectors(id: "n", [b])
            try requireEqual(try await store.nodeSelectors(id: "n"), [b])
            try await store.setNodeSelectors(id: "n", [])
            try requireEqual(try await store.nodeSelectors(id: "n"), [])
            try requireEqual(try await store.nodeEvents(after: 0).map(\.key), ["n", "n", "n"])
        },
        Check("nodes are filtered by type, ban, expiry, re-attestation and selectors") { store in
            var banned = node("b", expiresAt: 2000)
            banned.serialNumber = ""
            var stuck = node("c", expiresAt: 3000, type: "join_token")
            stuck.canReattest = false
            for one in [node("a"), banned, stuck] { try await store.createNode(one) }
            let x = Selector(type: "t", value: "x")
            let y = Selector(type: "t", value: "y")
            try await store.setNodeSelectors(id: node("a").spiffeID, [x])
            try await store.setNodeSelectors(id: node("b").spiffeID, [x, y])
            func expect(_ names: String, _ change: (inout NodeFilter) -> Void) async throws {
                var filter = NodeFilter()
                change(&filter)
                let listed = try await store.listNodes(filter, page: PageRequest(size: 10), withSelectors: true)
                let found = listed.items
                try requireEqual(found.map { String($0.spiffeID.suffix(1)) }.joined(), names)
                try requireEqual(try await store.countNodes(filter), names.count)
                for one in found where one.spiffeID.hasSuffix("b") { try requireEqual(one.selectors, [x, y]) }
            }
            try await expect("abc") { _ in }
            try await expect("ab") { $0.attestationType = "x509pop" }
            try await expect("b") { $0.banned = true }
            try await expect("ac") { $0.banned = false }
            try await expect("c") { $0.canReattest = false }
            try await expect("a") { $0.expiresBefore = 2000 }
            try await expect("bc") { $0.validAt = 2000 }
            try await expect("a") { $0.selectors = SelectorMatch([x], .exact) }
            try await expect("ab") { $0.selectors = SelectorMatch([x], .superset) }
            try await expect("ab") { $0.selectors = SelectorMatch([x, y], .subset) }
            try await expect("b") { $0.selectors = SelectorMatch([y], .any) }
            var empty = NodeFilter()
            empty.selectors = SelectorMatch([], .any)
            let bad = empty
            try await requireFailure(.invalid, "cannot list by empty selectors set") {
                _ = try await store.listNodes(bad, page: nil, withSelectors: false)
            }
            let first = try await store.listNodes(NodeFilter(), page: PageRequest(size: 2), withSelectors: false)
            let rest = try await store.listNodes(
                NodeFilter(), page: PageRequest(token: first.nextToken, size: 2), withSelectors: false)
            try requireEqual(first.items.count, 2)
            try requireEqual(rest.items.map(\.spiffeID), [stuck.spiffeID])
            try requireEqual(first.items[0].selectors, [])
        },
        Check("deleting a join-token node takes its alias entry along and nothing else") { store in
            let agent = node("join_token/t", type: "join_token")
            try await store.createNode(agent)
            try await store.setNodeSelectors(id: agent.spiffeID, [Selector(type: "t", value: "x")])
            var alias = RegistrationEntry.sample("/alias", id: "alias")
            alias.parentID = agent.spiffeID
            alias.selectors = [Selector(type: "spiffe_id", value: agent.spiffeID)]
            var child = RegistrationEntry.sample("/child", id: "child")
            child.parentID = agent.spiffeID
            var both = alias
            both.id = "both"
            both.selectors += child.selectors
            for entry in [alias, child, both] { try await store.add(entry) }
            let before = try await store.latestEntryEventID()
            try requireEqual(try await store.deleteNode(id: agent.spiffeID), agent)
            try requireEqual(try await store.nodeSelectors(id: agent.spiffeID), [])
            let left = try await store.listEntries(EntryFilter(), page: nil).items.map(\.id)
            try requireEqual(left, ["child", "both"])
            try requireEqual(try await store.entryEvents(after: before).map(\.key), ["alias"])
            try requireEqual(try await store.nodeEvents(after: 0).count, 3)
            try await requireFailure(.notFound) { _ = try await store.deleteNode(id: agent.spiffeID) }
        },
        Check("pruning nodes spares the banned, the living and, unless told, those that cannot attest again") { store in
            var banned = node("banned")
            banned.serialNumber = ""
            var stuck = node("stuck")
            stuck.canReattest = false
            for one in [node("a"), node("b"), banned, stuck, node("living", expiresAt: 3000)] {
                try await store.createNode(one)
            }
            func prune(_ all: Bool, _ limit: Int) async throws -> Int {
                try await store.pruneNodes(expiredBefore: 2000, includingNonReattestable: all, limit: limit)
            }
            try requireEqual(try await prune(false, 1), 1)
            try requireEqual(try await prune(false, 10), 1)
            try requireEqual(try await prune(false, 10), 0)
            try requireEqual(try await prune(true, 10), 1)
            let left = try await store.listNodes(NodeFilter(), page: nil, withSelectors: false).items
            try requireEqual(left.map { String($0.spiffeID.suffix(6)) }, ["banned", "living"])
        },
    ]
}
