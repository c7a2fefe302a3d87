// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import RPC
import SPIFFE
import SQLDatastore
@testable import ServerAPI
import SwiftProtobuf
import TestKit
import Testing

@Suite struct AgentServiceTests {
    static let id = "spiffe://example.org/spire/agent/x/one"
    static let path = "/spire/agent/x/one"

    func stored(_ fixture: Fixture, reattest: Bool = false) async throws {
        try await fixture.store.createNode(
            AttestedNode(
                spiffeID: Self.id, attestationType: "x", serialNumber: "7", expiresAt: 1_800_000_100,
                canReattest: reattest))
        try await fixture.store.setNodeSelectors(id: Self.id, [Selector(type: "x", value: "y")])
    }

    @Test("an agent is shown with everything, or with what the mask names")
    func get() async throws {
        let fixture = try await Fixture()
        try await stored(fixture)
        let call = try fixture.call(AgentMethods.getAgent.path)
        let agent = try await fixture.agents().get(.with { $0.id = .init("example.org", Self.path) }, call)
        #expect(agent.x509SvidSerialNumber == "7")
        #expect(agent.selectors.map(\.value) == ["y"])
        let masked = try await fixture.agents().get(
            .with {
                $0.id = .init("example.org", Self.path)
                $0.outputMask.banned = true
            }, call)
        #expect(masked == .with { $0.id = .init("example.org", Self.path) })
        let missing = await status {
            _ = try await fixture.agents().get(.with { $0.id = .init("example.org", Self.path + "x") }, call)
        }
        #expect(missing == RPCStatus(.notFound, "agent not found"))
        let wrong = await status {
            _ = try await fixture.agents().get(.with { $0.id = .init("example.org", "/web") }, call)
        }
        #expect(
            wrong
                == RPCStatus(
                    .invalidArgument,
                    #"invalid agent ID: "spiffe://example.org/web" is not an agent in trust domain "example.org"; path is not in the agent namespace"#
                ))
        let unnamed = await status { _ = try await fixture.agents().get(.init(), call) }
        #expect(unnamed == RPCStatus(.invalidArgument, "invalid agent ID: request must specify SPIFFE ID"))
    }

    @Test("listing and counting filter alike; text that is no time is no filter")
    func list() async throws {
        let fixture = try await Fixture()
        try await stored(fixture)
        let list = try fixture.call(AgentMethods.listAgents.path)
        let count = try fixture.call(AgentMethods.countAgents.path)
        let service = fixture.agents()
        let all = try await service.list(.with { $0.filter.byExpiresBefore = "soon" }, list)
        #expect(all.agents.map(\.id.path) == [Self.path])
        let banned = try await service.list(.with { $0.filter.byBanned = .with { $0.value = true } }, list)
        #expect(banned.agents.isEmpty)
        let typed = try await service.count(.with { $0.filter.byAttestationType = "x" }, count)
        #expect(typed.count == 1)
        let before = try await service.count(.with { $0.filter.byExpiresBefore = "2001-01-01 00:00:00 +0000 +00" }, count)
        #expect(before.count == 0)
        let bad = await status {
            _ = try await service.list(.with { $0.filter.bySelectorMatch.selectors = [.init()] }, list)
        }
        #expect(bad == RPCStatus(.invalidArgument, "failed to parse selectors: missing selector type"))
    }

    @Test("banning blanks both serial numbers, evicting removes the agent; either wants one that is there")
    func banAndDelete() async throws {
        let fixture = try await Fixture()
        try await stored(fixture)
        let service = fixture.agents()
        let ban = try fixture.call(AgentMethods.banAgent.path)
        let delete = try fixture.call(AgentMethods.deleteAgent.path)
        _ = try await service.ban(.with { $0.id = .init("example.org", Self.path) }, ban)
        let node = try #require(try await fixture.store.node(id: Self.id))
        #expect(node.serialNumber.isEmpty)
        #expect(node.newSerialNumber.isEmpty)
        #expect(node.attestationType == "x")
        _ = try await service.delete(.with { $0.id = .init("example.org", Self.path) }, delete)
        #expect(try await fixture.store.node(id: Self.id) == nil)
        let missing = RPCStatus(.notFound, "agent not found")
        #expect(await status { _ = try await service.delete(.with { $0.id = .init("example.org", Self.path) }, delete) } == missing)
        #expect(await status { _ = try await service.ban(.with { $0.id = .init("example.org", Self.path) }, ban) } == missing)
        #expect(fixture.logs.lines.map(\.message) == ["Agent banned", "Agent deleted"])
    }

    @Test("a renewed certificate waits as the new one beside the present one")
    func renew() async throws {
        let fixture = try await Fixture()
        try await stored(fixture)
        let call = try fixture.call(AgentMethods.renewAgent.path, as: .agent, id: Self.id)
        let csr = Data(try CSR.make(key: LocalKey.generate(.ecP256), uri: nil, dnsNames: []))
        let response = try await fixture.agents().renew(.with { $0.params.csr = csr }, call)
        #expect(response.svid.id.path == Self.path)
        let node = try #require(try await fixture.store.node(id: Self.id))
        #expect(node.serialNumber == "7")
        #expect(node.newSerialNumber == "101")
        #expect(node.newExpiresAt == response.svid.expiresAt)
    }

    @Test("renewal is refused to agents that can attest again, to unknown ones, and without a CSR")
    func renewRefused() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(AgentMethods.renewAgent.path, as: .agent, id: Self.id)
        let unknown = await status { _ = try await fixture.agents().renew(.init(), call) }
        #expect(unknown == RPCStatus(.notFound, "agent not found"))
        try await stored(fixture)
        let bare = await status { _ = try await fixture.agents().renew(.init(), call) }
        #expect(bare == RPCStatus(.invalidArgument, "params cannot be nil"))
        let empty = await status { _ = try await fixture.agents().renew(.with { $0.params = .init() }, call) }
        #expect(empty == RPCStatus(.invalidArgument, "missing CSR"))
        try await fixture.store.deleteNode(id: Self.id)
        try await stored(fixture, reattest: true)
        let refused = await status { _ = try await fixture.agents().renew(.init(), call) }
        #expect(refused?.code == .permissionDenied)
        #expect(refused?.message == "agent must reattest instead of renew")
        let detail = try #require(refused?.details.first)
        #expect(
            try Spire_Api_Types_PermissionDeniedDetails(serializedBytes: detail.value).reason == .agentMustReattest)
    }

    @Test("a join token lives as long as asked, and may come with an entry for a second name")
    func createToken() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(AgentMethods.createJoinToken.path)
        let plain = try await fixture.agents().createJoinToken(.with { $0.ttl = 60 }, call)
        #expect(plain.value.utf8.count == 36)
        #expect(plain.expiresAt == Int64(fixture.time.now.timeIntervalSince1970) + 60)
        _ = try await fixture.agents().createJoinToken(
            .with {
                $0.ttl = 60
                $0.token = "mine"
                $0.agentID = .init("example.org", "/node")
            }, call)
        let entries = try await fixture.store.listEntries(EntryFilter(), page: nil).items
        let parent = "spiffe://example.org/spire/agent/join_token/mine"
        #expect(entries.map(\.spiffeID) == ["spiffe://example.org/node"])
        #expect(entries.first?.parentID == parent)
        #expect(entries.first?.selectors == [Selector(type: "spiffe_id", value: parent)])
    }

    @Test("a join token needs a lifetime, a free name, and no reserved second name")
    func refusedTokens() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(AgentMethods.createJoinToken.path)
        let service = fixture.agents()
        let eternal = await status { _ = try await service.createJoinToken(.init(), call) }
        #expect(eternal == RPCStatus(.invalidArgument, "ttl is required, you must provide one"))
        let reserved = await status {
            _ = try await service.createJoinToken(
                .with {
                    $0.ttl = 1
                    $0.agentID = .init("example.org", "/spire/server")
                }, call)
        }
        #expect(reserved?.message.hasPrefix("invalid agent ID: ") == true)
        _ = try await service.createJoinToken(.with { $0.ttl = 1; $0.token = "a" }, call)
        let taken = await status { _ = try await service.createJoinToken(.with { $0.ttl = 1; $0.token = "a" }, call) }
        #expect(taken?.code == .internal)
        #expect(taken?.message.hasPrefix("failed to create token: ") == true)
    }

    @Test("an agent's version is kept, up to 255 characters")
    func postStatus() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(AgentMethods.postStatus.path, as: .agent, id: Self.id)
        let service = fixture.agents()
        let unknown = await status { _ = try await service.postStatus(.with { $0.agentVersion = "1" }, call) }
        #expect(unknown == RPCStatus(.notFound, "agent not found"))
        try await stored(fixture)
        _ = try await service.postStatus(.with { $0.agentVersion = "1.2.3" }, call)
        let node = try #require(try await fixture.store.node(id: Self.id))
        #expect(node.agentVersion == "1.2.3")
        #expect(node.serialNumber == "7")
        let long = await status {
            _ = try await service.postStatus(.with { $0.agentVersion = String(repeating: "1", count: 256) }, call)
        }
        #expect(long == RPCStatus(.invalidArgument, "agent version is too long (max 255 characters)"))
    }
}
