// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import Issuance
import NIOCore
import RPC
import SPIFFE
import SwiftProtobuf
import SQLDatastore
import TestKit
import Testing
import Wire

@testable import ServerAPI

@Suite struct ScopedAdminTests {
    static let team = "spiffe://example.org/ci/team-a"

    static func scope(_ verbs: Set<AdminScope.Verb> = Set(AdminScope.Verb.allCases)) throws -> AdminScope {
        var scope = AdminScope(
            verbs: verbs, spiffeIDs: [try .init("/team-a"), try .init("/shared/a/")],
            parentIDs: [try .init("/node"), try .init("/team-a")])
        scope.requiredSelectors = [Selector(type: "k8s", value: "ns:a")]
        scope.dnsNames = ["a.example", "*.a.example"]
        scope.federatesWith = [try TrustDomain("friend.test")]
        scope.protectedIDs = [try SPIFFEID(team), try SPIFFEID("spiffe://example.org/team-a/root")]
        return scope
    }

    private func call(_ fixture: Fixture, _ method: MethodPath, _ scope: AdminScope? = nil) throws -> Call {
        Call(
            context: RPCContext(method: method, peer: PeerIdentity.inProcess), role: .admin, evidence: .config,
            callerID: try SPIFFEID(Self.team), grant: ScopeGrant(try scope ?? Self.scope(), entries: fixture.store),
            row: AuthorizationTable.standard[method], environment: fixture.environment)
    }

    static func wanted(
        _ path: String = "/team-a/web", parent: String = "/node",
        _ configure: (inout Spire_Api_Types_Entry) -> Void = { _ in }
    ) -> Spire_Api_Types_Entry {
        var entry = Spire_Api_Types_Entry()
        entry.spiffeID = .init("example.org", path)
        entry.parentID = .init("example.org", parent)
        entry.selectors = [
            .with {
                $0.type = "k8s"
                $0.value = "ns:a"
            },
            .with {
                $0.type = "unix"
                $0.value = "uid:\(path)"
            },
        ]
        configure(&entry)
        return entry
    }

    @discardableResult
    private func store(
        _ fixture: Fixture, _ path: String, parent: String = "/node", id: String,
        _ configure: (inout RegistrationEntry) -> Void = { _ in }
    ) async throws -> RegistrationEntry {
        var entry = RegistrationEntry.made(path, id: id)
        entry.parentID = "spiffe://example.org\(parent)"
        entry.selectors = [Selector(type: "k8s", value: "ns:a"), Selector(type: "unix", value: "uid:\(id)")]
        configure(&entry)
        guard case .created(let made) = try await fixture.store.createEntry(entry) else {
            throw SpireError(.alreadyExists, "there already")
        }
        return made
    }

    private func create(_ fixture: Fixture, _ entries: [Spire_Api_Types_Entry]) async throws -> [Int32] {
        try await fixture.entries.created(
            .with { $0.entries = entries }, try call(fixture, EntryMethods.batchCreateEntry.path)
        ).results.map(\.status.code)
    }

    private func update(
        _ fixture: Fixture, _ entry: Spire_Api_Types_Entry, _ mask: Spire_Api_Types_EntryMask? = nil
    ) async throws -> Spire_Api_Types_Status {
        try await fixture.entries.batchUpdate(
            .with {
                $0.entries = [entry]
                if let mask { $0.inputMask = mask }
            }, try call(fixture, EntryMethods.batchUpdateEntry.path)
        ).results[0].status
    }

    private static let refused = Int32(StatusCode.permissionDenied.rawValue)
    private static let absent = Int32(StatusCode.notFound.rawValue)

    // MARK: Prefixes

    @Test("prefixes cover whole segments: never a longer word, a parent or another trust domain")
    func prefixes() throws {
        let with = try AdminScope.PathPrefix("/a/b")
        for path in ["/a/b", "/a/b/c"] { #expect(with.covers(path)) }
        for path in ["", "/", "/a", "/a/bc", "/a/b-c", "/x/a/b", "a/b"] { #expect(!with.covers(path)) }
        let below = try AdminScope.PathPrefix("/a/b/")
        #expect(below.covers("/a/b/c") && !below.covers("/a/b"))
        let all = try AdminScope.PathPrefix("/")
        #expect(all.covers("/x") && !all.covers(""))
        for text in ["", "a", "a/b", "//", "/a//b", "/../a", "/a/./b", "/ä", "/a b", "/*"] {
            #expect(throws: SpireError.self, "\(text)") { try AdminScope.PathPrefix(text) }
        }
    }

    // MARK: Methods

    @Test("of all methods there are, a scoped administrator is let into nine, each by its verb")
    func methods() throws {
        let all = try Self.scope()
        let allowed = AuthorizationTable.standard.rows.values.map(\.method).filter(all.permits).map(\.name)
        #expect(
            Set(allowed) == [
                "ListEntries", "CountEntries", "GetEntry", "BatchCreateEntry", "BatchUpdateEntry", "BatchDeleteEntry",
                "MintX509SVID", "MintJWTSVID", "MintWITSVID",
            ])
        #expect(allowed.count == 9)
        for verb in AdminScope.Verb.allCases {
            let one = try Self.scope([verb])
            let count = AuthorizationTable.standard.rows.values.filter { one.permits($0.method) }.count
            #expect(count == (verb == .read ? 3 : 1), "\(verb)")
        }
    }

    @Test("the authorizer gives the scope with the call, refuses every other method, and believes no admin entry")
    func authorizer() async throws {
        let fixture = try await Fixture()
        // Whatever entries say, the configuration's limit holds.
        try await store(fixture, "/ci/team-a", id: "own") { $0.admin = true }
        let authorizer = Authorizer(
            adminIDs: [], scopedAdmins: [try SPIFFEID(Self.team): try Self.scope([.read])], entries: fixture.store,
            agents: AgentCheck(nodes: fixture.store, time: fixture.time), environment: fixture.environment)
        let peer = PeerIdentity.mutualTLS(
            leaf: try TestCertificate.leaf(serial: 5, validUntil: fixture.time.now.addingTimeInterval(60)),
            id: try SPIFFEID(Self.team), address: "192.0.2.1:1")
        var entered: [String] = []
        for row in AuthorizationTable.standard.rows.values where !row.callers.contains(.anyone) {
            do {
                let admitted = try await authorizer.admit(RPCContext(method: row.method, peer: peer))
                let call = try #require(admitted.caller as? Call)
                #expect(call.grant != nil, "\(row.method)")
                entered.append(row.method.name)
            } catch {
                #expect(APIFailure.status(of: error).code == .permissionDenied, "\(row.method)")
            }
        }
        #expect(Set(entered) == ["ListEntries", "CountEntries", "GetEntry"])
    }

    // MARK: Creating

    @Test("what is inside the scope is created")
    func creates() async throws {
        let fixture = try await Fixture()
        let codes = try await create(
            fixture,
            [
                Self.wanted(), Self.wanted("/team-a"), Self.wanted("/shared/a/x", parent: "/team-a/web"),
                Self.wanted("/team-a/dns") { $0.dnsNames = ["a.example", "x.a.example", "*.y.a.example"] },
            ])
        #expect(codes == [0, 0, 0, 0])
    }

    @Test("no field of a new entry leads out of the scope, and one item's refusal does not concern the others")
    func hostileCreation() async throws {
        let fixture = try await Fixture()
        for domain in ["friend.test", "foe.test"] {
            _ = try await fixture.store.createBundle(TrustBundle(trustDomainID: "spiffe://\(domain)"))
        }
        let hostile: [Spire_Api_Types_Entry] = [
            Self.wanted("/team-b/web"), Self.wanted("/team-ab"), Self.wanted("/shared/a"), Self.wanted("/shared"),
            Self.wanted(parent: "/nodes"), Self.wanted(parent: "/spire/server"),
            Self.wanted(parent: "/spire/agent/join_token/x"),
            Self.wanted { $0.admin = true }, Self.wanted { $0.downstream = true }, Self.wanted { $0.storeSvid = true },
            Self.wanted { $0.selectors.removeFirst() },
            Self.wanted { $0.selectors[0].value = "ns:ab" },
            Self.wanted { $0.dnsNames = ["b.example"] }, Self.wanted { $0.dnsNames = ["a.example", "bank.example"] },
            Self.wanted { $0.dnsNames = ["*.example"] }, Self.wanted { $0.dnsNames = ["xa.example"] },
            Self.wanted { $0.federatesWith = ["foe.test"] },
            Self.wanted { $0.federatesWith = ["friend.test", "foe.test"] },
            Self.wanted { $0.id = "chosen" }, Self.wanted { $0.id = "apply.platform.0123" },
            Self.wanted("/team-a/root"),
        ]
        let codes = try await create(fixture, [Self.wanted("/team-a/first")] + hostile + [Self.wanted("/team-a/last")])
        #expect(codes.first == 0 && codes.last == 0)
        #expect(codes.dropFirst().dropLast().allSatisfy { $0 == Self.refused }, "\(codes)")
        #expect(try await fixture.store.countEntries(EntryFilter()) == 2)
        let malformed = try await create(
            fixture, [Self.wanted { $0.spiffeID.trustDomain = "other.test" }, Self.wanted("/team-a/../team-b")])
        #expect(malformed == [3, 3])
        #expect(try await create(fixture, [Self.wanted { $0.federatesWith = ["friend.test"] }]) == [0])
    }

    @Test("an identity that carries rights by an entry elsewhere cannot be had by another entry or by minting")
    func privilegedIdentities() async throws {
        let fixture = try await Fixture()
        try await store(fixture, "/team-a/operator", parent: "/elsewhere", id: "admin") { $0.admin = true }
        try await store(fixture, "/team-a/nested", parent: "/elsewhere", id: "downstream") { $0.downstream = true }
        #expect(
            try await create(fixture, [Self.wanted("/team-a/operator"), Self.wanted("/team-a/nested")])
                == [Self.refused, Self.refused])
        try await store(fixture, "/team-a/plain", id: "plain")
        let moved = try await update(fixture, Self.wanted("/team-a/operator") { $0.id = "plain" })
        #expect(moved.code == Self.refused)
        for path in ["/team-a/operator", "/team-a/nested", "/team-a/root", "/team-b/x", "/shared/a"] {
            let refusal = await status {
                _ = try await fixture.svids.mintJWT(
                    .with {
                        $0.id = .init("example.org", path)
                        $0.audience = ["a"]
                    }, try call(fixture, SVIDMethods.mintJWTSVID.path))
            }
            #expect(refusal?.code == .permissionDenied, "\(path)")
        }
        let service = SVIDService(
            trustDomain: fixture.trustDomain, issuer: fixture.issuer, authorized: fixture.authorized,
            bundles: fixture.bundles, witEnabled: true, lanes: 1)
        let bound = await status {
            _ = try await service.mintWIT(
                .with { $0.id = .init("example.org", "/team-a/operator") }, try call(fixture, SVIDMethods.mintWITSVID.path))
        }
        #expect(bound?.code == .permissionDenied)
        #expect(fixture.issuer.asked.isEmpty)
        _ = try await fixture.svids.mintJWT(
            .with {
                $0.id = .init("example.org", "/team-a/web")
                $0.audience = ["a"]
            }, try call(fixture, SVIDMethods.mintJWTSVID.path))
        #expect(fixture.issuer.asked.count == 1)
    }

    @Test("an entry is not put above entries outside the scope, which would then be had with it")
    func above() async throws {
        let fixture = try await Fixture()
        // The platform hangs its own entries below a SPIFFE ID of the team, at some distance.
        try await store(fixture, "/team-a/inner", parent: "/team-a/gate", id: "inner")
        try await store(fixture, "/db", parent: "/team-a/inner", id: "db")
        try await store(fixture, "/team-a/ops", parent: "/team-a/other", id: "ops") { $0.admin = true }
        #expect(
            try await create(
                fixture,
                [Self.wanted("/team-a/gate"), Self.wanted("/team-a/inner"), Self.wanted("/team-a/other"), Self.wanted()])
                == [Self.refused, Self.refused, Self.refused, 0])
        // The same by a change of one that is there.
        let own = try #require(try await fixture.store.listEntries(EntryFilter(), page: nil).items.first { $0.spiffeID.hasSuffix("/web") })
        let moved = try await update(fixture, Self.wanted("/team-a/gate") { $0.id = own.id })
        #expect(moved.code == Self.refused)
        // A ring ends.
        try await store(fixture, "/team-a/r1", parent: "/team-a/r2", id: "r1")
        try await store(fixture, "/team-a/r2", parent: "/team-a/r1", id: "r2")
        #expect(try await create(fixture, [Self.wanted("/team-a/r1")]) == [0])
    }

    // MARK: Changing

    @Test("an entry is moved neither out of the scope nor into it, by no mask")
    func hostileUpdate() async throws {
        let fixture = try await Fixture()
        let own = try await store(fixture, "/team-a/web", id: "own")
        let foreign = try await store(fixture, "/team-b/web", id: "foreign")
        let root = try await store(fixture, "/team-a/ops", id: "root") { $0.admin = true }
        let stored = try await store(fixture, "/team-a/secret", id: "stored") {
            $0.storeSVID = true
            $0.selectors = [Selector(type: "k8s", value: "ns:a")]
        }
        var mask = Spire_Api_Types_EntryMask()
        mask.spiffeID = true
        #expect(try await update(fixture, Self.wanted("/team-b/web") { $0.id = "own" }, mask).code == Self.refused)
        #expect(try await update(fixture, Self.wanted("/team-a/x") { $0.id = "foreign" }, mask).code == Self.absent)
        #expect(try await update(fixture, Self.wanted("/team-a/x") { $0.id = "none" }, mask).code == Self.absent)
        // What is outside and what is not there read alike.
        let outside = try await update(fixture, Self.wanted { $0.id = "foreign" })
        let nothing = try await update(fixture, Self.wanted { $0.id = "none" })
        #expect(outside.message == nothing.message)
        typealias Change = (
            set: (inout Spire_Api_Types_EntryMask) -> Void, change: (inout Spire_Api_Types_Entry) -> Void
        )
        let changes: [Change] = [
            ({ $0.parentID = true }, { $0.parentID.path = "/spire/server" }),
            ({ $0.admin = true }, { $0.admin = true }),
            ({ $0.downstream = true }, { $0.downstream = true }),
            ({ $0.storeSvid = true }, { $0.storeSvid = true }),
            ({ $0.dnsNames = true }, { $0.dnsNames = ["bank.example"] }),
            ({ $0.federatesWith = true }, { $0.federatesWith = ["foe.test"] }),
            ({ $0.selectors = true }, { $0.selectors.removeFirst() }),
        ]
        for (set, change) in changes {
            var mask = Spire_Api_Types_EntryMask()
            set(&mask)
            let wanted = Self.wanted {
                $0.id = "own"
                change(&$0)
            }
            #expect(try await update(fixture, wanted, mask).code == Self.refused)
        }
        // Even to take the flag away, an administrator's entry is not touched; nor is any field of it.
        var hint = Spire_Api_Types_EntryMask()
        hint.hint = true
        for id in ["root", "stored"] {
            #expect(try await update(fixture, Self.wanted { $0.id = id }, hint).code == Self.refused)
            #expect(try await update(fixture, Self.wanted { $0.id = id }).code == Self.refused)
        }
        for entry in [own, foreign, root, stored] {
            #expect(try await fixture.store.entry(id: entry.id) == entry)
        }
        #expect(try await update(fixture, Self.wanted { $0.id = "own"; $0.hint = "h" }, hint).code == 0)
        #expect(try await fixture.store.entry(id: "own")?.hint == "h")
    }

    @Test("nothing outside the scope is deleted, and it is said to be absent")
    func hostileDelete() async throws {
        let fixture = try await Fixture()
        try await store(fixture, "/team-a/web", id: "own")
        try await store(fixture, "/team-b/web", id: "foreign")
        try await store(fixture, "/team-a/far", parent: "/elsewhere", id: "far")
        try await store(fixture, "/team-a/ops", id: "root") { $0.admin = true }
        let response = try await fixture.entries.batchDelete(
            .with { $0.ids = ["own", "foreign", "far", "root", "none", ""] },
            try call(fixture, EntryMethods.batchDeleteEntry.path))
        #expect(response.results.map(\.status.code) == [0, Self.absent, Self.absent, Self.refused, Self.absent, 3])
        #expect(response.results[1].status.message == response.results[4].status.message)
        #expect(try await fixture.store.countEntries(EntryFilter()) == 3)
    }

    // MARK: Reading

    @Test("lists, counts and fetches show the scope only, by every filter and page size, and no token tells of more")
    func reading() async throws {
        let fixture = try await Fixture()
        var mine: Set<String> = []
        for number in 0..<60 {
            let isOwn = number % 7 == 3 || number == 30
            let id = "e\(number)"
            if isOwn { mine.insert(id) }
            try await store(fixture, isOwn ? "/team-a/w\(number)" : "/team-b/w\(number)", id: id) {
                $0.hint = "h"
                $0.selectors.append(Selector(type: "all", value: "yes"))
            }
        }
        func list(_ size: Int32, _ filter: Spire_Api_Server_Entry_V1_ListEntriesRequest.Filter) async throws -> [String] {
            var found: [String] = []
            var token = ""
            repeat {
                let answer = try await fixture.entries.list(
                    .with {
                        $0.filter = filter
                        $0.pageSize = size
                        $0.pageToken = token
                    }, try call(fixture, EntryMethods.listEntries.path))
                let page = try Spire_Api_Server_Entry_V1_ListEntriesResponse(
                    serializedBytes: Array(answer.readableBytesView))
                #expect(size == 0 || page.entries.count <= Int(size))
                found += page.entries.map(\.id)
                token = page.nextPageToken
                // A token names the row of an entry that was shown.
                if !token.isEmpty { #expect(Int(token).map { "e\($0 - 1)" } == page.entries.last?.id) }
            } while !token.isEmpty
            return found
        }
        typealias Filter = Spire_Api_Server_Entry_V1_ListEntriesRequest.Filter
        let wide: [Filter] = [
            Filter(), .with { $0.byHint.value = "h" }, .with { $0.byParentID = .init("example.org", "/node") },
            .with { filter in
                filter.bySelectors = .with {
                    $0.match = .matchSuperset
                    $0.selectors = [
                        .with {
                            $0.type = "all"
                            $0.value = "yes"
                        }
                    ]
                }
            },
        ]
        for filter in wide {
            for size: Int32 in [0, 1, 2, 3, 7, 10, 59, 60, 1000] {
                let found = try await list(size, filter)
                #expect(Set(found) == mine, "size \(size)")
                #expect(found.count == mine.count, "size \(size)")
            }
        }
        let foreign: [Filter] = [
            .with { $0.bySpiffeID = .init("example.org", "/team-b/w0") },
            .with { $0.byParentID = .init("example.org", "/elsewhere") }, .with { $0.byDownstream.value = true },
        ]
        for filter in foreign { #expect(try await list(1, filter) == []) }
        let count = try await fixture.entries.count(.init(), try call(fixture, EntryMethods.countEntries.path)).count
        #expect(Int(count) == mine.count)
        for id in ["e0", "e1", "none"] {
            let refusal = await status {
                _ = try await fixture.entries.get(.with { $0.id = id }, try call(fixture, EntryMethods.getEntry.path))
            }
            #expect(refusal?.code == .notFound)
            #expect(refusal?.message == "entry not found")
        }
        #expect(
            try await fixture.entries.get(.with { $0.id = "e3" }, try call(fixture, EntryMethods.getEntry.path)).id == "e3")
    }

    // MARK: Minting

    @Test("minted certificates stay in the scope: ID, DNS names and no subject")
    func mintX509() async throws {
        let fixture = try await Fixture()
        func mint(_ path: String, dns: [String] = [], subject: Bool = false) async throws -> RPCStatus? {
            let subject =
                subject ? DistinguishedName(country: [], organization: [], commonName: "root") : .svid
            let der = try CSR.make(
                key: LocalKey.generate(.ecP256), uri: try SPIFFEID("spiffe://example.org" + path), dnsNames: dns,
                subject: subject)
            return await status {
                _ = try await fixture.svids.mintX509(
                    .with { $0.csr = Data(der) }, try call(fixture, SVIDMethods.mintX509SVID.path))
            }
        }
        for refusal in [
            try await mint("/team-b/x"), try await mint("/team-ab"), try await mint("/team-a/root"),
            try await mint("/team-a/x", dns: ["bank.example"]), try await mint("/team-a/x", subject: true),
        ] {
            #expect(refusal?.code == .permissionDenied)
        }
        #expect(fixture.issuer.asked.isEmpty)
        #expect(try await mint("/team-a/x", dns: ["x.a.example"]) == nil)
        #expect(fixture.issuer.asked.map(\.id) == ["spiffe://example.org/team-a/x"])
    }
}
