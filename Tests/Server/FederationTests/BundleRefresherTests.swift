// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Logging
import SPIFFE
import SQLDatastore
import SQLiteDriver
import Synchronization
import TestKit
import Testing
import X509

@testable import Federation

@Suite struct BundleRefresherTests {
    struct World {
        let clock = ManualClock()
        let store: SQLDatastore
        let fetcher: ScriptedFetcher
        let changes = Watch<UInt64>(0)

        let statements: StatementLog?

        init(statements: StatementLog? = nil, path: String = ":memory:") async throws {
            self.statements = statements
            fetcher = ScriptedFetcher(clock: clock)
            var configuration = SQLDatastoreConfiguration(connectionString: path)
            configuration.logSQL = statements != nil
            store = try await SQLiteDatastore.open(
                configuration, time: clock, random: SeededRandom(),
                logger: statements?.logger ?? Logger(label: "sql") { _ in SwiftLogNoOpLogHandler() })
        }

        func refresher(_ configured: [FederatedEndpoint] = []) throws -> BundleRefresher {
            BundleRefresher(
                own: try TrustDomain("example.org"), configured: configured, relationships: store, bundles: store,
                fetcher: fetcher, changes: changes, time: clock,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }

        func running(
            _ refresher: BundleRefresher, _ body: @escaping @Sendable () async throws -> Void
        ) async throws {
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await refresher.run() }
                defer { tasks.cancelAll() }
                try await body()
            }
        }

        /// Lets time go on in steps until the endpoint was asked `count` times.
        func pass(untilFetches count: Int) async {
            for _ in 0..<200 where fetcher.fetches.count < count {
                await clock.sleepers()
                // Polls are tasks of their own: what the last step set off goes first, also on a busy machine.
                for _ in 0..<1000 { await Task.yield() }
                clock.advance(by: .seconds(5))
            }
        }

        func stored(_ name: String) async throws -> TrustBundle? {
            try await store.bundle(trustDomainID: "spiffe://\(name)")
        }
    }

    static func bundle(_ name: String, hint: Duration?) async throws -> SPIFFEBundle {
        let trustDomain = try TrustDomain(name)
        let root = try await TestCA.root(name).root
        return SPIFFEBundle(
            trustDomain, x509Authorities: [try Certificate(spiffeDER: root)], sequenceNumber: 7, refreshHint: hint)
    }

    func stored(_ name: String, _ profile: FederationRelationship.Profile = .httpsWeb) -> FederationRelationship {
        FederationRelationship(trustDomain: name, bundleEndpointURL: "https://\(name)/", profile: profile)
    }

    @Test("a new relationship's bundle is fetched at once, and again after a quarter of its hint")
    func polls() async throws {
        let world = try await World()
        let bundle = try await Self.bundle("a.org", hint: .seconds(600))
        world.fetcher.answer("a.org", .success(bundle))
        try await world.running(world.refresher()) {
            await world.clock.sleepers()
            _ = try await world.store.createFederationRelationship(stored("a.org"))
            world.changes.update { $0 += 1 }
            await world.fetcher.wait(for: 1)
            await world.pass(untilFetches: 2)
            let times = world.fetcher.fetches.map(\.at)
            #expect(times.count == 2)
            #expect(times[0] == .zero)
            #expect((Duration.seconds(150)...Duration.seconds(165)).contains(times[1] - times[0]))
            let kept = try await world.stored("a.org")
            #expect(kept?.x509Authorities.map(\.der) == bundle.x509Authorities.map(\.der))
            #expect(kept?.refreshHint == 600)
        }
    }

    @Test("idle, a database that nobody writes to is not read; what another server creates is polled within ten seconds")
    func idle() async throws {
        let folder = "/tmp/refresher-" + SystemRandom().uuid().prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let world = try await World(statements: StatementLog(), path: folder + "/datastore.sqlite3")
        let other = try await World(path: folder + "/datastore.sqlite3")
        world.fetcher.answer("a.org", .success(try await Self.bundle("a.org", hint: .seconds(600))))
        try await world.running(world.refresher()) {
            await world.clock.sleepers()
            _ = world.statements?.take()
            var looks = 0
            while looks < 5 {
                world.clock.advance(by: .seconds(10))
                await world.clock.sleepers()
                let said = world.statements?.take() ?? []
                #expect(said.allSatisfy { $0 == "PRAGMA data_version" })
                looks += said.count
            }
            let before = world.clock.uptime
            _ = try await other.store.createFederationRelationship(stored("a.org"))
            world.clock.advance(by: .seconds(10))
            await world.fetcher.wait(for: 1)
            #expect(world.fetcher.fetches.map(\.at) == [before + .seconds(10)])
        }
        await world.store.close()
        await other.store.close()
    }

    @Test("a failing endpoint is asked again after a minute, and what was stored stays")
    func failure() async throws {
        let world = try await World()
        world.fetcher.answer("a.org", .failure(SpireError(.federationRefresh, "no route")))
        _ = try await world.store.createFederationRelationship(stored("a.org"))
        try await world.running(world.refresher()) {
            await world.fetcher.wait(for: 1)
            await world.pass(untilFetches: 2)
            let times = world.fetcher.fetches.map(\.at)
            #expect((Duration.seconds(60)...Duration.seconds(75)).contains(times[1] - times[0]))
            let kept = try await world.stored("a.org")
            #expect(kept == nil)
        }
    }

    @Test("a bundle that cannot be fetched any more is kept")
    func kept() async throws {
        let world = try await World()
        world.fetcher.answer("a.org", .success(try await Self.bundle("a.org", hint: .seconds(60))))
        _ = try await world.store.createFederationRelationship(stored("a.org"))
        let refresher = try world.refresher()
        #expect(try await refresher.refreshBundle(of: TrustDomain("a.org")))
        let before = try await world.stored("a.org")
        world.fetcher.answer("a.org", .failure(SpireError(.federationRefresh, "no route")))
        await #expect(throws: SpireError(.federationRefresh, "")) {
            try await refresher.refreshBundle(of: TrustDomain("a.org"))
        }
        #expect(try await world.stored("a.org") == before)
        #expect(before != nil)
    }

    @Test("the configuration's relationship wins over the stored one, and the own trust domain is never asked")
    func precedence() async throws {
        let world = try await World()
        let configured = FederatedEndpoint(
            trustDomain: try TrustDomain("a.org"), url: "https://configured/", profile: .httpsWeb)
        let own = FederatedEndpoint(
            trustDomain: try TrustDomain("example.org"), url: "https://own/", profile: .httpsWeb)
        world.fetcher.answer("a.org", .success(try await Self.bundle("a.org", hint: nil)))
        _ = try await world.store.createFederationRelationship(stored("a.org"))
        let refresher = try world.refresher([configured, own])
        #expect(try await refresher.refreshBundle(of: TrustDomain("a.org")))
        #expect(try await !refresher.refreshBundle(of: TrustDomain("example.org")))
        #expect(try await !refresher.refreshBundle(of: TrustDomain("unknown.org")))
        #expect(world.fetcher.fetches.map(\.endpoint.url) == ["https://configured/"])
    }

    @Test("an https_spiffe endpoint is authenticated with the stored bundle of its own trust domain")
    func authentication() async throws {
        let world = try await World()
        world.fetcher.answer("a.org", .success(try await Self.bundle("a.org", hint: nil)))
        var host = TrustBundle(trustDomainID: "spiffe://host.org")
        host.x509Authorities = [.init(der: try await TestCA.root("host.org").root)]
        _ = try await world.store.setBundle(host)
        _ = try await world.store.createFederationRelationship(
            stored("a.org", .httpsSPIFFE(endpointID: "spiffe://host.org/endpoint")))
        #expect(try await world.refresher().refreshBundle(of: TrustDomain("a.org")))
        let used = try #require(world.fetcher.fetches.first?.bundle)
        #expect(used.trustDomain.name == "host.org")
        #expect(used.authorities.map(\.der) == host.x509Authorities.map(\.der))
    }
}

/// Answers by trust domain, and says what it was asked when.
final class ScriptedFetcher: BundleFetching {
    struct Fetch: Sendable {
        let endpoint: FederatedEndpoint
        let bundle: X509Bundle?
        let at: Duration
    }

    private let clock: ManualClock
    private let answers = Mutex<[String: Result<SPIFFEBundle, SpireError>]>([:])
    private let log = Watch<[Fetch]>([])

    init(clock: ManualClock) { self.clock = clock }

    var fetches: [Fetch] { log.value }

    func answer(_ trustDomain: String, _ answer: Result<SPIFFEBundle, SpireError>) {
        answers.withLock { $0[trustDomain] = answer }
    }

    func wait(for count: Int) async {
        for await fetches in log.changes() where fetches.count >= count { return }
    }

    func fetch(_ endpoint: FederatedEndpoint, authenticatedBy bundle: X509Bundle?) async throws -> SPIFFEBundle {
        log.update { $0.append(Fetch(endpoint: endpoint, bundle: bundle, at: clock.uptime)) }
        guard let answer = answers.withLock({ $0[endpoint.trustDomain.name] }) else {
            throw SpireError(.federationRefresh, "not scripted")
        }
        return try answer.get()
    }
}
