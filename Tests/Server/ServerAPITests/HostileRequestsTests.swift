// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import RPC
import SPIFFE
import SQLDatastore
import SwiftProtobuf
import TestKit
import Testing

@testable import ServerAPI

/// Requests nobody should send, to every service that takes lists, pages, batches and IDs.
@Suite struct HostileRequestsTests {
    @Test("a page token that is none is refused by every listing, and without pages it does not matter")
    func pageTokens() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.listEntries.path)
        let agents = fixture.agents()
        for token in ["x", "-1", "1.5", " 1", "1; DROP TABLE", "0x10", String(repeating: "x", count: 5000)] {
            for refused in [
                await status { _ = try await agents.list(.with { $0.pageSize = 1; $0.pageToken = token }, call) },
                await status { _ = try await fixture.bundleService.listFederated(.with { $0.pageSize = 1; $0.pageToken = token }, call) },
            ] {
                #expect(refused?.code == .internal, "\(token.prefix(20))")
                #expect(refused?.message.hasPrefix("failed to list ") == true)
            }
            _ = try await agents.list(.with { $0.pageToken = token }, call)
        }
        // As in the original, a number beyond every row is the end of the list.
        for token in ["99999999999999999999", String(repeating: "9", count: 5000)] {
            #expect(try await agents.list(.with { $0.pageSize = 1; $0.pageToken = token }, call).agents.isEmpty)
        }
    }

    @Test("the largest and negative page sizes are answered with everything", arguments: [Int32.max, -1, Int32.min, 0])
    func pageSizes(_ size: Int32) async throws {
        let fixture = try await Fixture()
        for name in ["a", "b"] {
            _ = try await fixture.store.createEntry(.made("/\(name)"))
            try await fixture.store.createNode(
                AttestedNode(
                    spiffeID: "spiffe://example.org/spire/agent/t/\(name)", attestationType: "t", serialNumber: "1",
                    expiresAt: 1))
            _ = try await fixture.store.setBundle(TrustBundle(trustDomainID: "spiffe://\(name).org"))
        }
        let call = try fixture.call(AgentMethods.listAgents.path)
        #expect(try await fixture.agents().list(.with { $0.pageSize = size }, call).agents.count == 2)
        #expect(try await fixture.bundleService.listFederated(.with { $0.pageSize = size }, call).bundles.count == 2)
        #expect(try await fixture.store.listEntries(EntryFilter(), page: PageRequest(size: size, token: "")).items.count == 2)
    }

    @Test("an empty batch is an empty answer; one of 100,000 has 100,000 results")
    func batchSizes() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.batchCreateEntry.path)
        #expect(try await fixture.entries.created(.init(), call).results.isEmpty)
        #expect(try await fixture.entries.batchUpdate(.init(), call).results.isEmpty)
        #expect(try await fixture.entries.batchDelete(.init(), call).results.isEmpty)
        #expect(try await fixture.bundleService.batchSetFederated(.init(), call).results.isEmpty)
        #expect(try await fixture.bundleService.batchDeleteFederated(.init(), call).results.isEmpty)
        let many = 100_000
        let empty = try await fixture.entries.created(
            .with { $0.entries = [Spire_Api_Types_Entry](repeating: .init(), count: many) }, call)
        #expect(empty.results.count == many && empty.results.allSatisfy { $0.status.code == 3 })
        let nameless = try await fixture.entries.batchDelete(
            .with { $0.ids = [String](repeating: "", count: many) }, call)
        #expect(nameless.results.count == many && nameless.results.allSatisfy { $0.status.code == 3 })
        #expect(try await fixture.store.countEntries(EntryFilter()) == 0)
    }

    @Test("entries that differ only in the order of their selectors are the same entry")
    func selectorOrder() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.batchCreateEntry.path)
        let selectors = ["a", "b", "c"].map { value in
            Spire_Api_Types_Selector.with { $0.type = "unix"; $0.value = value }
        }
        let one = Spire_Api_Types_Entry.made { $0.selectors = selectors }
        let two = Spire_Api_Types_Entry.made { $0.selectors = selectors.reversed() }
        let repeated = Spire_Api_Types_Entry.made { $0.selectors = selectors + selectors }
        let results = try await fixture.entries.created(.with { $0.entries = [one, two, repeated] }, call).results
        #expect(results.map(\.status.code).prefix(2) == [0, 6])
        #expect(results[1].entry.id == results[0].entry.id)
        // Whatever it makes of a selector given twice: no second entry of the same meaning.
        #expect(results[2].status.code != 0)
        #expect(try await fixture.store.countEntries(EntryFilter()) == 1)
    }

    @Test("of two entries with one custom ID the second is refused, whatever else differs")
    func duplicateIDs() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.batchCreateEntry.path)
        let entries = ["/a", "/b"].map { path in Spire_Api_Types_Entry.made(path) { $0.id = "mine" } }
        let results = try await fixture.entries.created(.with { $0.entries = entries }, call).results
        #expect(results.map(\.status.code) == [0, 6])
        #expect(try await fixture.store.countEntries(EntryFilter()) == 1)
    }

    @Test("of creates of the same entry at the same time exactly one wins, and the others are shown the winner")
    func concurrentCreates() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.batchCreateEntry.path)
        let results = try await withThrowingTaskGroup(
            of: [Spire_Api_Server_Entry_V1_BatchCreateEntryResponse.Result].self
        ) { group in
            for _ in 0..<32 {
                group.addTask { try await fixture.entries.created(.with { $0.entries = [.made()] }, call).results }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(results.filter { $0.status.code == 0 }.count == 1)
        #expect(results.filter { $0.status.code == 6 }.count == 31)
        #expect(Set(results.map(\.entry.id)).count == 1)
    }

    static let flaws: [(String, @Sendable (inout Spire_Api_Types_Entry) -> Void)] = [
        ("no SPIFFE ID", { $0.clearSpiffeID() }), ("no parent", { $0.clearParentID() }),
        ("foreign SPIFFE ID", { $0.spiffeID = .init("other.org", "/x") }),
        ("foreign parent", { $0.parentID = .init("other.org", "/x") }),
        ("reserved path", { $0.spiffeID = .init("example.org", "/spire/agent/x") }),
        ("empty path", { $0.spiffeID = .init("example.org", "") }),
        ("relative path", { $0.spiffeID = .init("example.org", "x") }),
        ("dots", { $0.spiffeID = .init("example.org", "/a/../b") }),
        ("trailing slash", { $0.spiffeID = .init("example.org", "/a/") }),
        ("encoded path", { $0.spiffeID = .init("example.org", "/a%2fb") }),
        ("NUL in path", { $0.spiffeID = .init("example.org", "/a\u{0}") }),
        ("path of a megabyte", { $0.spiffeID = .init("example.org", "/" + String(repeating: "a", count: 1 << 20)) }),
        ("no selectors", { $0.selectors = [] }), ("empty selector type", { $0.selectors[0].type = "" }),
        ("empty selector value", { $0.selectors[0].value = "" }), ("colon in type", { $0.selectors[0].type = "a:b" }),
        ("hint of 1,025 bytes", { $0.hint = String(repeating: "h", count: 1025) }),
        ("no DNS name", { $0.dnsNames = [""] }), ("DNS name with a space", { $0.dnsNames = ["a b"] }),
        ("two wildcards", { $0.dnsNames = ["*.*.org"] }),
        ("DNS name of 300 bytes", { $0.dnsNames = [String(repeating: "a.", count: 150) + "org"] }),
        ("bad trust domain", { $0.federatesWith = ["Not A Domain"] }), ("empty trust domain", { $0.federatesWith = [""] }),
        ("negative TTL", { $0.x509SvidTtl = -1 }), ("negative JWT TTL", { $0.jwtSvidTtl = .min }),
    ]

    @Test("an entry with a bad field is refused and nothing is stored", arguments: flaws.indices)
    func fields(_ index: Int) async throws {
        let (name, spoil) = Self.flaws[index]
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.batchCreateEntry.path)
        var entry = Spire_Api_Types_Entry.made()
        spoil(&entry)
        let wanted = entry
        let result = try #require(try await fixture.entries.created(.with { $0.entries = [wanted] }, call).results.first)
        #expect(result.status.code == 3, "\(name): \(result.status.message)")
        #expect(!result.status.message.isEmpty && result.status.message.utf8.count < 3 << 20)
        #expect(try await fixture.store.countEntries(EntryFilter()) == 0, "\(name)")
    }

    @Test("agents are named by agents' IDs of the own trust domain, and nothing else", arguments: [
        ("other.org", "/spire/agent/x"), ("example.org", "/web"), ("example.org", ""), ("example.org", "/spire/agent"),
        ("", ""), ("Example.org", "/spire/agent/x"), ("example.org", "/spire/agent/../x"), ("example.org", "/spire/server"),
    ])
    func agentIDs(_ trustDomain: String, _ path: String) async throws {
        let fixture = try await Fixture()
        let agents = fixture.agents()
        let call = try fixture.call(AgentMethods.getAgent.path)
        let id = Spire_Api_Types_SPIFFEID(trustDomain, path)
        for refused in [
            await status { _ = try await agents.get(.with { $0.id = id }, call) },
            await status { _ = try await agents.ban(.with { $0.id = id }, call) },
            await status { _ = try await agents.delete(.with { $0.id = id }, call) },
        ] {
            #expect(refused?.code == .invalidArgument)
            #expect(refused?.message.hasPrefix("invalid agent ID: ") == true)
        }
    }

    @Test("foreign bundles are named by trust domains, and the own one is not foreign", arguments: [
        "", "Up.org", "a b", "spiffe://", "spiffe://a.org:80", "example.org", "spiffe://example.org",
        String(repeating: "a", count: 256),
    ])
    func trustDomains(_ name: String) async throws {
        let fixture = try await Fixture()
        let service = fixture.bundleService
        let call = try fixture.call(BundleMethods.getFederatedBundle.path)
        #expect(await status { _ = try await service.getFederated(.with { $0.trustDomain = name }, call) }?.code == .invalidArgument)
        let bundle = Spire_Api_Types_Bundle.with { $0.trustDomain = name }
        let codes =
            try await service.batchSetFederated(.with { $0.bundle = [bundle] }, call).results.map(\.status.code)
            + service.batchCreateFederated(.with { $0.bundle = [bundle] }, call).results.map(\.status.code)
            + service.batchUpdateFederated(.with { $0.bundle = [bundle] }, call).results.map(\.status.code)
            + service.batchDeleteFederated(.with { $0.trustDomains = [name] }, call).results.map(\.status.code)
        #expect(codes == [3, 3, 3, 3])
        #expect(try await fixture.store.countBundles() == 0)
    }
}
