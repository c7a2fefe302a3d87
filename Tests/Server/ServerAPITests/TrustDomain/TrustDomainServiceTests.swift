// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import Logging
import RPC
import SPIFFE
import SQLDatastore
import SwiftProtobuf
import Synchronization
import TestKit
import Testing

@testable import ServerAPI

@Suite struct TrustDomainServiceTests {
    typealias Relationship = Spire_Api_Types_FederationRelationship

    func service(
        _ fixture: Fixture, _ refresher: ScriptedRefresher = ScriptedRefresher(), _ changes: Watch<UInt64> = Watch(0)
    ) -> TrustDomainService {
        TrustDomainService(store: fixture.store, bundles: fixture.bundles, refresher: refresher, changes: changes)
    }

    func web(_ name: String, url: String? = nil) -> Relationship {
        .with {
            $0.trustDomain = name
            $0.bundleEndpointURL = url ?? "https://\(name)/bundle"
            $0.httpsWeb = .init()
        }
    }

    func create(_ fixture: Fixture, _ relationships: [Relationship]) async throws
        -> Spire_Api_Server_Trustdomain_V1_BatchCreateFederationRelationshipResponse
    {
        try await service(fixture).batchCreate(
            .with { $0.federationRelationships = relationships },
            fixture.call(TrustDomainMethods.batchCreateFederationRelationship.path))
    }

    @Test("relationships are created, shown, updated and deleted, each on its own terms")
    func lifecycle() async throws {
        let fixture = try await Fixture()
        let changes = Watch<UInt64>(0)
        let service = service(fixture, ScriptedRefresher(), changes)
        var spiffe = web("b.org")
        spiffe.httpsSpiffe.endpointSpiffeID = "spiffe://b.org/server"
        let created = try await create(fixture, [web("a.org"), spiffe, web("a.org")])
        #expect(created.results.map(\.status.code) == [0, 0, 13])
        #expect(
            created.results[2].status.message.hasPrefix(
                "failed to create federation relationship: datastore-sql: "))
        #expect(created.results[1].federationRelationship == spiffe)
        #expect(created.results[0].status.message == "OK")

        let get = try fixture.call(TrustDomainMethods.getFederationRelationship.path)
        #expect(try await service.get(.with { $0.trustDomain = "a.org" }, get) == web("a.org"))
        let missing = await status { _ = try await service.get(.with { $0.trustDomain = "c.org" }, get) }
        #expect(missing == RPCStatus(.notFound, "federation relationship does not exist"))

        let before = changes.value
        let updated = try await service.batchUpdate(
            .with {
                $0.federationRelationships = [web("a.org", url: "https://a.org/new"), web("c.org")]
                $0.inputMask.bundleEndpointURL = true
            }, fixture.call(TrustDomainMethods.batchUpdateFederationRelationship.path))
        #expect(updated.results.map(\.status.code) == [0, 13])
        #expect(
            updated.results[1].status.message
                == "failed to update federation relationship: datastore-sql: record not found")
        #expect(updated.results[0].federationRelationship.bundleEndpointURL == "https://a.org/new")
        #expect(changes.value == before + 1)

        let deleted = try await service.batchDelete(
            .with { $0.trustDomains = ["a.org", "a.org", "", "no good"] },
            fixture.call(TrustDomainMethods.batchDeleteFederationRelationship.path))
        #expect(deleted.results.map(\.status.code) == [0, 5, 3, 3])
        #expect(deleted.results[1].status.message == "federation relationship not found")
        #expect(deleted.results[2].status.message == "missing trust domain")
        #expect(deleted.results[3].status.message.hasPrefix("failed to parse trust domain: "))
        #expect(deleted.results.map(\.trustDomain) == ["a.org", "a.org", "", "no good"])
        #expect(changes.value == before + 2)
    }

    @Test("a mask hides everything but the trust domain; an update touches only what its mask names")
    func masks() async throws {
        let fixture = try await Fixture()
        _ = try await create(fixture, [web("a.org")])
        let service = service(fixture)
        let shown = try await service.get(
            .with {
                $0.trustDomain = "a.org"
                $0.outputMask = .init()
            }, fixture.call(TrustDomainMethods.getFederationRelationship.path))
        #expect(shown == .with { $0.trustDomain = "a.org" })
        // What the mask leaves out is not even looked at.
        let updated = try await service.batchUpdate(
            .with {
                $0.federationRelationships = [
                    .with {
                        $0.trustDomain = "a.org"
                        $0.bundleEndpointURL = "nonsense"
                        $0.httpsSpiffe.endpointSpiffeID = "spiffe://a.org/x"
                    }
                ]
                $0.inputMask.bundleEndpointProfile = true
            }, fixture.call(TrustDomainMethods.batchUpdateFederationRelationship.path))
        #expect(updated.results.first?.federationRelationship.bundleEndpointURL == "https://a.org/bundle")
        #expect(updated.results.first?.federationRelationship.httpsSpiffe.endpointSpiffeID == "spiffe://a.org/x")
    }

    @Test("lists come whole, or in pages whose last one is empty")
    func pages() async throws {
        let fixture = try await Fixture()
        _ = try await create(fixture, (0..<5).map { web("td\($0).org") })
        let service = service(fixture)
        let call = try fixture.call(TrustDomainMethods.listFederationRelationships.path)
        let all = try await service.list(.with { $0.pageToken = "ignored" }, call)
        #expect(all.federationRelationships.count == 5 && all.nextPageToken.isEmpty)
        var token = ""
        var sizes: [Int] = []
        repeat {
            let page = try await service.list(.with { $0.pageSize = 2; $0.pageToken = token }, call)
            sizes.append(page.federationRelationships.count)
            token = page.nextPageToken
        } while !token.isEmpty
        #expect(sizes == [2, 2, 1, 0])
        let bad = await status { _ = try await service.list(.with { $0.pageSize = 2; $0.pageToken = "x" }, call) }
        #expect(bad?.code == .internal)
        #expect(bad?.message.hasPrefix("failed to list federation relationships: ") == true)
        let huge = try await service.list(.with { $0.pageSize = .max }, call)
        #expect(huge.federationRelationships.count == 5)
        #expect(try await service.list(.with { $0.pageSize = -1 }, call).federationRelationships.count == 5)
    }

    static let malformed: [(String, @Sendable (inout Relationship) -> Void)] = [
        ("failed to parse trust domain: ", { $0.trustDomain = "Up.org" }),
        ("failed to parse trust domain: ", { $0.trustDomain = "" }),
        ("failed to parse trust domain: ", { $0.trustDomain = String(repeating: "a", count: 300) }),
        ("bundle endpoint URL must use the https scheme", { $0.bundleEndpointURL = "http://a.org" }),
        ("bundle endpoint URL must use the https scheme", { $0.bundleEndpointURL = "" }),
        ("bundle endpoint URL must specify the host", { $0.bundleEndpointURL = "https:///x" }),
        ("bundle endpoint URL must not contain user info", { $0.bundleEndpointURL = "https://u:p@a.org/" }),
        ("failed to parse bundle endpoint URL: ", { $0.bundleEndpointURL = "https://a.org/\u{0}" }),
        ("failed to parse bundle endpoint URL: ", { $0.bundleEndpointURL = "https://a.org:port/" }),
        ("failed to parse bundle endpoint URL: ", { $0.bundleEndpointURL = "https://a.org/" + String(repeating: "x", count: 9000) }),
        ("unsupported bundle endpoint profile type: <nil>", { $0.bundleEndpointProfile = nil }),
        ("failed to parse endpoint SPIFFE ID: ", { $0.httpsSpiffe.endpointSpiffeID = "a.org/server" }),
        ("failed to parse bundle: ", { $0.trustDomainBundle.trustDomain = "nope nope" }),
        (
            "failed to parse bundle: ",
            {
                $0.trustDomainBundle.trustDomain = "a.org"
                $0.trustDomainBundle.x509Authorities = [.with { $0.asn1 = Data([1, 2, 3]) }]
            }
        ),
        (
            "trust domain bundle (\"b.org\") must match the trust domain of the federation relationship (\"a.org\")",
            { $0.trustDomainBundle.trustDomain = "b.org" }
        ),
    ]

    @Test("what is no relationship is refused with the rule it breaks, and nothing is stored", arguments: malformed.indices)
    func bad(_ index: Int) async throws {
        let (text, spoil) = Self.malformed[index]
        let fixture = try await Fixture()
        var relationship = web("a.org")
        spoil(&relationship)
        let result = try #require(try await create(fixture, [relationship]).results.first)
        #expect(result.status.code == 3)
        #expect(result.status.message.hasPrefix("failed to convert federation relationship: \(text)"), "\(result.status.message)")
        #expect(!result.hasFederationRelationship)
        #expect(try await fixture.store.listFederationRelationships(page: nil).items.isEmpty)
        #expect(try await fixture.store.countBundles() == 0)
    }

    @Test("the server does not federate with itself")
    func own() async throws {
        let fixture = try await Fixture()
        let result = try #require(try await create(fixture, [web("example.org")]).results.first)
        #expect(result.status.code == 3)
        #expect(result.status.message == "unable to create federation relationship for server trust domain")
    }

    @Test("a bundle that comes with a relationship is used at once, also by those who read it a moment ago")
    func bundle() async throws {
        let fixture = try await Fixture()
        let trustDomain = try TrustDomain("a.org")
        #expect(try await fixture.bundles.fresh(trustDomain) == nil)
        let certificate = try TestCertificate.leaf(serial: 1, validUntil: fixture.time.now.addingTimeInterval(60))
        var relationship = web("a.org")
        relationship.trustDomainBundle.trustDomain = "a.org"
        relationship.trustDomainBundle.x509Authorities = [.with { $0.asn1 = Data(certificate.der) }]
        let result = try #require(try await create(fixture, [relationship]).results.first)
        #expect(result.federationRelationship.trustDomainBundle.x509Authorities.count == 1)
        #expect(try await fixture.bundles.fresh(trustDomain)?.x509Authorities.map(\.der) == [certificate.der])
    }

    @Test("of creates of one relationship at the same time exactly one wins")
    func concurrent() async throws {
        let fixture = try await Fixture()
        let codes = try await withThrowingTaskGroup(of: Int32.self) { group in
            for _ in 0..<16 {
                group.addTask { try await create(fixture, [web("a.org")]).results.first?.status.code ?? -1 }
            }
            return try await group.reduce(into: [Int32]()) { $0.append($1) }
        }
        #expect(codes.filter { $0 == 0 }.count == 1)
        #expect(codes.filter { $0 == 13 }.count == 15)
    }

    @Test("a refresh reaches the endpoint; without a relationship it says so")
    func refresh() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(TrustDomainMethods.refreshBundle.path)
        let known = ScriptedRefresher(["a.org": nil, "b.org": SpireError(.unavailable, "no route")])
        let service = service(fixture, known)
        _ = try await service.refresh(.with { $0.trustDomain = "a.org" }, call)
        let missing = await status { _ = try await service.refresh(.with { $0.trustDomain = "c.org" }, call) }
        #expect(missing == RPCStatus(.notFound, "no relationship with trust domain \"c.org\""))
        let failed = await status { _ = try await service.refresh(.with { $0.trustDomain = "b.org" }, call) }
        #expect(failed == RPCStatus(.internal, "failed to refresh bundle: no route"))
        let bad = await status { _ = try await service.refresh(.with { $0.trustDomain = "" }, call) }
        #expect(bad?.code == .invalidArgument)
        #expect(bad?.message.hasPrefix("failed to parse trust domain: ") == true)
    }

    @Test("an endpoint that cannot be authenticated yet is remarked on, not refused")
    func remark() async throws {
        let fixture = try await Fixture()
        var relationship = web("a.org")
        relationship.httpsSpiffe.endpointSpiffeID = "spiffe://c.org/server"
        #expect(try await create(fixture, [relationship]).results.first?.status.code == 0)
        let warnings = fixture.logs.lines.filter { $0.level == .warning }
        #expect(warnings.map { $0.fields["endpoint_spiffe_id"] } == ["spiffe://c.org/server"])
    }

    @Test("each item of a batch leaves an audit line with the original's fields")
    func audit() async throws {
        let fixture = try await Fixture(audit: true)
        _ = try await create(fixture, [web("a.org"), web("a.org")])
        let lines = fixture.logs.lines.filter { $0.message == "API accessed" }
        #expect(lines.map { $0.fields["status"] } == ["success", "error"])
        #expect(lines[0].fields["trust_domain_id"] == "a.org")
        #expect(lines[0].fields["bundle_endpoint_url"] == "https://a.org/bundle")
        #expect(lines[0].fields["bundle_endpoint_profile"] == "https_web")
        #expect(lines[0].fields["service"] == "trustdomain.v1.TrustDomain")
        #expect(lines[1].fields["status_code"] == "Internal")
    }

    @Test("an empty batch is answered, and one of 100,000 items item by item")
    func batchSizes() async throws {
        let fixture = try await Fixture()
        #expect(try await create(fixture, []).results.isEmpty)
        let many = try await create(fixture, [Relationship](repeating: Relationship(), count: 100_000))
        #expect(many.results.count == 100_000)
        #expect(many.results.allSatisfy { $0.status.code == 3 })
    }
}

/// Knows trust domains by name; a failure belongs to those that have one.
final class ScriptedRefresher: BundleRefreshing {
    private let known: [String: SpireError?]
    init(_ known: [String: SpireError?] = [:]) { self.known = known }

    func refreshBundle(of trustDomain: TrustDomain) async throws -> Bool {
        guard let entry = known[trustDomain.name] else { return false }
        if let failure = entry { throw failure }
        return true
    }
}
