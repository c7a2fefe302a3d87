// SPDX-License-Identifier: Apache-2.0

import Datastore
import TestKit
import Testing

@testable import EntryIndex

@Suite struct AuthorizationTreeTests {
    private static func id(_ path: String) -> String { "spiffe://example.org" + path }

    private func names(_ tree: AuthorizationTree, _ agent: String, now: Int64 = 0) -> [String] {
        tree.unpacked(tree.authorized(agentID: Self.id(agent), now: now)).map { String($0.spiffeID.dropFirst(20)) }
            .sorted()
    }

    private func tree(_ entries: (path: String, parent: String)...) -> AuthorizationTree {
        var tree = AuthorizationTree(trustDomain: "example.org")
        for (number, entry) in entries.enumerated() {
            tree.set(.sample(entry.path, parent: entry.parent, "uid:\(number)", id: "e\(number)"))
        }
        return tree
    }

    @Test("an agent gets its children, their children, and so on")
    func closure() {
        let tree = tree(("/a", "/agent"), ("/b", "/a"), ("/c", "/b"), ("/x", "/other"))
        #expect(names(tree, "/agent") == ["/a", "/b", "/c"])
        #expect(names(tree, "/other") == ["/x"])
        #expect(names(tree, "/none") == [])
        #expect(tree.authorized(agentID: "spiffe://other.org/agent", now: 0) == [])
        #expect(tree.authorized(agentID: "nonsense", now: 0) == [])
    }

    @Test("loops and diamonds end, and give each entry once")
    func loops() {
        let tree = tree(("/a", "/agent"), ("/agent", "/a"), ("/b", "/a"), ("/a", "/b"), ("/b", "/agent"), ("/a", "/a"))
        #expect(names(tree, "/agent") == ["/a", "/a", "/a", "/agent", "/b", "/b"])
    }

    @Test("an alias gives its children to agents that have all its selectors, and is not given itself")
    func aliases() {
        var tree = tree(("/w", "/rack"))
        tree.set(.sample("/rack", parent: "/spire/server", "dc:1", "os:x", id: "alias"))
        let all = ["dc:1", "os:x", "z:z"].map { Selector(type: "unix", value: $0) }
        tree.setAgent(id: Self.id("/full"), expiresAt: 100, selectors: all)
        tree.setAgent(id: Self.id("/part"), expiresAt: 100, selectors: [all[0], all[2]])
        #expect(names(tree, "/full") == ["/w"])
        #expect(names(tree, "/part") == [])
        #expect(names(tree, "/full", now: 100) == ["/w"])
        #expect(names(tree, "/full", now: 101) == [])
        tree.setAgent(id: Self.id("/full"), expiresAt: 100, selectors: [])
        #expect(names(tree, "/full") == [])
        tree.setAgent(id: Self.id("/full"), expiresAt: 100, selectors: all)
        tree.removeEntry(id: "alias")
        #expect(names(tree, "/full") == [])
    }

    @Test("entries of other trust domains and with malformed ids are ignored")
    func foreign() {
        var tree = tree(("/a", "/agent"))
        for bad in ["spiffe://other.org/b", "spiffe://example.orgs/b", "spiffe://example.org//b", "x",
            "spiffe://example.org/b/", "spiffe://example.org/b/..", "spiffe://example.org/b c"]
        {
            var entry = RegistrationEntry.sample("/b", parent: "/agent", id: "bad")
            entry.spiffeID = bad
            tree.set(entry)
            #expect(names(tree, "/agent") == ["/a"], "\(bad)")
        }
    }

    @Test("entries come back whole")
    func wholeness() {
        var entry = RegistrationEntry.sample("/a", parent: "/agent", "uid:1", "gid:1", "uid:0")
        entry.id = "0a6b7c8d-0000-4000-8000-00000000abcd"
        entry.x509SVIDTTL = 1
        entry.jwtSVIDTTL = 2
        entry.federatesWith = ["spiffe://b", "spiffe://a"]
        entry.dnsNames = ["z", "a"]
        entry.admin = true
        entry.downstream = true
        entry.storeSVID = true
        entry.hint = "h"
        entry.expiresAt = 3
        entry.revisionNumber = 4
        entry.createdAt = 5
        entry.additionalAttributes = .init()
        var plain = RegistrationEntry.sample("/b", parent: "/agent", id: "0A6B7C8D-0000-4000-8000-00000000ABCD")
        plain.storeSVID = true
        var tree = AuthorizationTree(trustDomain: "example.org")
        tree.set(entry)
        tree.set(plain)
        let found = tree.unpacked(tree.authorized(agentID: Self.id("/agent"), now: 0))
        #expect(Set(found) == [entry, plain])
    }

    @Test("a copy is a snapshot that later changes do not reach")
    func snapshots() {
        var tree = tree(("/a", "/agent"), ("/b", "/agent"))
        let before = tree
        tree.removeEntry(id: "e0")
        tree.set(.sample("/c", parent: "/agent", id: "e1"))
        #expect(names(before, "/agent") == ["/a", "/b"])
        #expect(names(tree, "/agent") == ["/c"])
    }
}
