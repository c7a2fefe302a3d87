// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import EntryIndex
import Logging
import RPC
import SwiftProtobuf
import FoundationEssentials
import SQLDatastore
import TestKit
import Testing

@testable import ServerAPI

@Suite struct ExplainServiceTests {
    static let domain = "spiffe://example.org"
    static let agent = domain + "/spire/agent/x"

    /// A store with an agent that has `k8s:node` and some entries.
    private func prepared() async throws -> Fixture {
        let fixture = try await Fixture()
        let now = Int64(fixture.time.now.timeIntervalSince1970)
        try await fixture.store.createNode(
            AttestedNode(spiffeID: Self.agent, attestationType: "t", serialNumber: "1", expiresAt: now + 100))
        try await fixture.store.setNodeSelectors(id: Self.agent, [Selector(type: "k8s", value: "node")])
        return fixture
    }

    private func add(
        _ fixture: Fixture, _ path: String, parent: String, _ selectors: [String] = ["unix:uid:1"],
        expiresAt: Int64 = 0
    ) async throws {
        var entry = RegistrationEntry()
        entry.id = path.replacing("/", with: "")
        entry.spiffeID = Self.domain + path
        entry.parentID = parent.hasPrefix("spiffe:") ? parent : Self.domain + parent
        entry.selectors = selectors.map { text in
            let parts = text.split(separator: ":", maxSplits: 1)
            return Selector(type: String(parts[0]), value: String(parts[1]))
        }
        entry.expiresAt = expiresAt
        _ = try await fixture.store.createEntry(entry)
    }

    private func explain(
        _ fixture: Fixture, agent: String? = "/spire/agent/x", selectors: [String] = ["unix:uid:1"],
        spiffeID: String? = nil, limit: Int32 = 0
    ) async throws -> ExplainService.Response {
        let service = ExplainService(trustDomain: fixture.trustDomain, store: fixture.store, time: fixture.time)
        return try await service.explain(
            .with {
                if let agent { $0.agentID = .init("example.org", agent) }
                if let spiffeID { $0.spiffeID = .init("example.org", spiffeID) }
                $0.selectors = selectors.map { text in
                    let parts = text.split(separator: ":", maxSplits: 1)
                    return .with {
                        $0.type = String(parts[0])
                        $0.value = String(parts[1])
                    }
                }
                $0.limit = limit
            }, try fixture.call(ExplainMethods.explainEntries.path))
    }

    @Test("entries match directly, through another entry and through an alias whose selectors the agent has")
    func matching() async throws {
        let fixture = try await prepared()
        try await add(fixture, "/direct", parent: Self.agent)
        try await add(fixture, "/alias", parent: "/spire/server", ["k8s:node"])
        try await add(fixture, "/underAlias", parent: "/alias")
        try await add(fixture, "/middle", parent: "/underAlias", ["x:y"])
        try await add(fixture, "/deep", parent: "/middle")
        let response = try await explain(fixture)
        #expect(response.matching.map { $0.entry.id } == ["deep", "direct", "underAlias"])
        #expect(response.near.isEmpty)
        #expect(response.matching[0].parents.map(\.outcome) == [.entry, .entry, .alias])
        #expect(response.matching[1].parents.map(\.outcome) == [.agent])
        #expect(response.agent.state == .active)
    }

    @Test("what is missing is named: selectors, a parent, the agent's selectors")
    func near() async throws {
        let fixture = try await prepared()
        try await add(fixture, "/selectors", parent: Self.agent, ["unix:uid:1", "unix:gid:5", "docker:label:a"])
        try await add(fixture, "/noParent", parent: "/nowhere")
        try await add(fixture, "/other", parent: "/spire/agent/y")
        try await add(fixture, "/lacking", parent: "/spire/server", ["k8s:node", "k8s:ns:prod"])
        try await add(fixture, "/underLacking", parent: "/lacking")
        try await add(fixture, "/ringA", parent: "/ringB")
        try await add(fixture, "/ringB", parent: "/ringA", ["x:y"])
        try await add(fixture, "/nodes", parent: "/spire/server")
        try await add(fixture, "/unrelated", parent: Self.agent, ["x:z"])
        let response = try await explain(fixture)
        #expect(response.matching.isEmpty)
        let found = Dictionary(response.near.map { ($0.entry.id, $0) }) { $1 }
        #expect(Set(found.keys) == ["selectors", "noParent", "other", "underLacking", "ringA", "nodes"])
        #expect(found["selectors"]?.missing.map { "\($0.type):\($0.value)" } == ["docker:label:a", "unix:gid:5"])
        #expect(found["selectors"]?.reachesAgent == true)
        #expect(found["noParent"]?.parents.map(\.outcome) == [.noSuchParent])
        #expect(found["noParent"]?.parents.first?.id.path == "/nowhere")
        #expect(found["other"]?.parents.map(\.outcome) == [.otherAgent])
        #expect(found["underLacking"]?.parents.map(\.outcome) == [.aliasLacksSelectors])
        #expect(found["underLacking"]?.parents.first?.missing.map(\.value) == ["ns:prod"])
        #expect(found["ringA"]?.parents.map(\.outcome) == [.cycle])
        #expect(found["nodes"]?.parents.map(\.outcome) == [.isAlias])
        // The least missing comes first.
        #expect(response.near.last?.entry.id == "selectors")
    }

    @Test("an agent that is unknown, expired or banned is said to be, and obtains nothing")
    func agents() async throws {
        let fixture = try await prepared()
        try await add(fixture, "/direct", parent: Self.agent)
        try await add(fixture, "/alias", parent: "/spire/server", ["k8s:node"])
        try await add(fixture, "/underAlias", parent: "/alias")
        fixture.time.advance(by: .seconds(200))
        var response = try await explain(fixture)
        #expect(response.agent.state == .expired)
        #expect(response.matching.isEmpty)
        #expect(Set(response.near.flatMap { $0.parents.map(\.outcome) }) == [.agentExpired])
        var node = try #require(try await fixture.store.node(id: Self.agent))
        node.serialNumber = ""
        _ = try await fixture.store.updateNode(node, fields: .serialNumber)
        response = try await explain(fixture)
        #expect(response.agent.state == .banned)
        #expect(Set(response.near.flatMap { $0.parents.map(\.outcome) }) == [.agentBanned])
        response = try await explain(fixture, agent: "/spire/agent/never")
        #expect(response.agent.state == .unknown)
        #expect(response.matching.isEmpty)
        response = try await explain(fixture, agent: nil, spiffeID: "/direct")
        #expect(response.near.first?.parents.map(\.outcome) == [.agentBanned])
    }

    @Test("an entry past its expiry still matches until it is pruned, and is marked")
    func expiredEntry() async throws {
        let fixture = try await prepared()
        let now = Int64(fixture.time.now.timeIntervalSince1970)
        try await add(fixture, "/old", parent: Self.agent, expiresAt: now - 1)
        try await add(fixture, "/new", parent: Self.agent, expiresAt: now + 1)
        let response = try await explain(fixture)
        #expect(response.matching.map(\.expired) == [false, true])
    }

    @Test("by SPIFFE ID every entry of it is explained, also one that shares no selector")
    func bySPIFFEID() async throws {
        let fixture = try await prepared()
        try await add(fixture, "/web", parent: Self.agent, ["x:y"])
        let response = try await explain(fixture, spiffeID: "/web")
        #expect(response.near.first?.missing.map(\.value) == ["y"])
        let open = try await explain(fixture, selectors: [], spiffeID: "/web")
        #expect(open.matching.map { $0.entry.id } == ["web"])
        #expect(try await explain(fixture, spiffeID: "/none").examined == 0)
    }

    @Test("it ends on wide and deep trees, keeps the limit and says that there is more")
    func bounds() async throws {
        let fixture = try await prepared()
        for number in 0..<30 { try await add(fixture, "/w\(number)", parent: "/c0", ["unix:uid:1", "n:\(number)"]) }
        for number in 0..<80 { try await add(fixture, "/c\(number)", parent: "/c\(number + 1)", ["x:\(number)"]) }
        let response = try await explain(fixture, limit: 10)
        #expect(response.near.count == 10)
        #expect(response.truncated)
        #expect(response.near[0].parents.map(\.outcome) == [.tooLong])
        for (request, what) in [
            (ExplainService.Request(), "nothing asked"),
            (.with { $0.agentID = .init("example.org", "/node") }, "not an agent"),
            (.with { $0.spiffeID = .init("other.test", "/x") }, "foreign"),
            (
                .with {
                    $0.selectors = (0..<401).map { n in
                        .with {
                            $0.type = "t"
                            $0.value = "\(n)"
                        }
                    }
                }, "too many"
            ),
        ] {
            let service = ExplainService(trustDomain: fixture.trustDomain, store: fixture.store, time: fixture.time)
            let refusal = await status {
                _ = try await service.explain(request, try fixture.call(ExplainMethods.explainEntries.path))
            }
            #expect(refusal?.code == .invalidArgument, "\(what)")
        }
    }

    @Test("what it says is what the authorization of agents does, on trees made at random")
    func agreesWithIndex() async throws {
        var seed = UInt64(20_260_826)
        func next(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((seed >> 33) % UInt64(bound))
        }
        for _ in 0..<12 {
            let fixture = try await prepared()
            let parents = ["/spire/agent/x", "/spire/agent/y", "/spire/server"] + (0..<8).map { "/p\($0)" }
            for number in 0..<40 {
                let path = next(3) == 0 ? "/leaf\(number)" : "/p\(next(8))"
                var entry = RegistrationEntry()
                entry.id = "e\(number)"
                entry.spiffeID = Self.domain + path
                entry.parentID = Self.domain + parents[next(parents.count)]
                let pool = [("k8s", "node"), ("k8s", "other"), ("unix", "uid:1"), ("unix", "gid:1")]
                entry.selectors = (0...next(2)).map { _ in pool[next(4)] }.map { Selector(type: $0.0, value: $0.1) }
                entry.selectors = Array(Set(entry.selectors)).sorted()
                _ = try await fixture.store.createEntry(entry)
            }
            let index = EntryIndex(
                store: fixture.store, trustDomain: "example.org",
                board: AgentBoard(time: fixture.time, random: fixture.random), time: fixture.time,
                logger: Logger(label: "index") { _ in SwiftLogNoOpLogHandler() })
            try await index.load()
            let held = Set([Selector(type: "unix", value: "uid:1"), Selector(type: "k8s", value: "node")])
            let expected = Set(
                try await index.authorizedEntries(agentID: Self.agent)
                    .filter { held.isSuperset(of: $0.selectors) }.map(\.id))
            let response = try await explain(fixture, selectors: ["unix:uid:1", "k8s:node"], limit: 1000)
            #expect(Set(response.matching.map { $0.entry.id }) == expected)
        }
    }
}
