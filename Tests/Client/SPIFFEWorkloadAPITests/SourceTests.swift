// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import RPC
import SPIFFE
import SPIFFETesting
import Synchronization
import Testing

@testable import SPIFFEWorkloadAPI

@Suite(.timeLimit(.minutes(1))) struct SourceTests {
    let ca: ThrowawayCA
    let other: ThrowawayCA
    let streams = ScriptedStreams()
    let time = VirtualTime()
    let denied = WorkloadAPIFailure(RPCStatus(.permissionDenied, "no identity issued"))
    let unavailable = WorkloadAPIFailure(RPCStatus(.unavailable, "connection refused"))

    init() throws {
        ca = try ThrowawayCA(try TrustDomain("example.org"))
        other = try ThrowawayCA(try TrustDomain("other.org"))
    }

    func context(_ paths: String..., federated: Bool = false) throws -> X509Context {
        X509Context(
            svids: try paths.map { try ca.x509SVID($0) },
            bundles: BundleSet(federated ? [ca.bundle, other.bundle] : [ca.bundle]))
    }

    /// Runs a source while `body` looks at it.
    func running(
        _ run: @escaping @Sendable () async throws -> Void, _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    @Test("before the first update reads fail, after it they answer")
    func firstUpdate() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        #expect(throws: SPIFFEError(.workloadAPI, "")) { try source.x509SVID() }
        streams.x509Stream(.x509(try context("/web", "/db")))
        try await running(source.run) {
            try await source.ready()
            #expect(try source.x509SVID().id.path == "/web")
            #expect(try source.x509Bundle(for: ca.trustDomain) == ca.bundle.x509Bundle)
            #expect(throws: SPIFFEError(.bundleNotFound, "")) { try source.x509Bundle(for: other.trustDomain) }
        }
    }

    @Test("the program may pick another identity than the default one")
    func picking() async throws {
        let source = X509Source(streams: streams, timing: time.timing) { svids in svids.first { $0.id.path == "/db" } }
        streams.x509Stream(.x509(try context("/web", "/db")), .x509(try context("/web")))
        try await running(source.run) {
            for await context in source.updated() where context.svids.count == 1 { break }
            #expect(throws: SPIFFEError(.workloadAPI, "")) { try source.x509SVID() }
        }
    }

    @Test("each update replaces all of the one before")
    func replacement() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        streams.x509Stream(.x509(try context("/a", federated: true)), .ends)
        try await running(source.run) {
            var updates = source.updated().makeAsyncIterator()
            #expect(await updates.next()?.defaultSVID.id.path == "/a")
            #expect(try source.x509Bundle(for: other.trustDomain).authorities.count == 1)
            streams.x509Stream(.x509(try context("/b")))
            #expect(await updates.next()?.defaultSVID.id.path == "/b")
            #expect(throws: SPIFFEError(.bundleNotFound, "")) { try source.x509Bundle(for: other.trustDomain) }
        }
    }

    @Test("failures are waited out, longer each time, and a refusal is one of them")
    func retries() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        for failure in [unavailable, denied, unavailable] { streams.x509Stream(.fails(failure)) }
        streams.x509Stream(.x509(try context("/web")))
        try await running(source.run) {
            #expect(await time.next(3) == [.seconds(1), .seconds(2), .seconds(4)])
            try await source.ready()
            #expect(try source.x509SVID().id.path == "/web")
        }
    }

    @Test("reads before the first update tell what is wrong")
    func reason() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        streams.x509Stream(.fails(denied))
        try await running(source.run) {
            _ = await time.next(1)
            #expect(throws: denied) { try source.x509SVID() }
        }
    }

    @Test("an identity that was withdrawn is used no longer, but others can still be verified")
    func withdrawal() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        streams.x509Stream(.x509(try context("/web")), .fails(denied))
        try await running(source.run) {
            _ = await time.next(1)
            #expect(throws: denied) { try source.x509SVID() }
            #expect(try source.x509Bundle(for: ca.trustDomain).authorities.count == 1)
            streams.x509Stream(.x509(try context("/again")))
            try await source.ready()
            #expect(try source.x509SVID().id.path == "/again")
        }
    }

    @Test("an identity outlives an agent that is down")
    func outage() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        streams.x509Stream(.x509(try context("/web")), .fails(unavailable))
        try await running(source.run) {
            _ = await time.next(1)
            let svid = try source.x509SVID()
            #expect(svid.id.path == "/web")
        }
    }

    @Test("a request that is wrong ends the source and tells its owner and its readers")
    func invalidArgument() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        let failure = WorkloadAPIFailure(RPCStatus(.invalidArgument, "security header missing from request"))
        streams.x509Stream(.x509(try context("/web")), .fails(failure))
        await #expect(throws: failure) { try await source.run() }
        #expect(throws: failure) { try source.x509SVID() }
        await #expect(throws: failure) { try await source.ready() }
    }

    @Test("closing ends reads, waits and updates")
    func closing() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        streams.x509Stream(.x509(try context("/web")))
        try await running(source.run) {
            var updates = source.updated().makeAsyncIterator()
            _ = await updates.next()
            source.close()
            #expect(await updates.next() == nil)
            #expect(throws: SPIFFEError(.closed, "")) { try source.x509SVID() }
            await #expect(throws: SPIFFEError(.closed, "")) { try await source.ready() }
        }
    }

    @Test("cancelling the task that runs a source closes it")
    func cancellation() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        streams.x509Stream(.x509(try context("/web")))
        try await running(source.run) { try await source.ready() }
        #expect(throws: SPIFFEError(.closed, "")) { try source.x509SVID() }
    }

    @Test("cancelling a wait ends the wait alone")
    func cancelledWait() async throws {
        let source = X509Source(streams: streams, timing: time.timing)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: CancellationError.self) { try await source.ready() }
            }
            group.cancelAll()
        }
        #expect(throws: SPIFFEError(.workloadAPI, "")) { try source.x509SVID() }
    }

    @Test("a bundle source is ready with both kinds")
    func bundles() async throws {
        let source = BundleSource(streams: streams, timing: time.timing)
        streams.x509BundleStream(.bundles(BundleSet(x509: [ca.bundle.x509Bundle])))
        try await running(source.run) {
            for await _ in source.x509Updated() { break }
            #expect(throws: SPIFFEError(.workloadAPI, "")) { try source.jwtBundle(for: ca.trustDomain) }
            streams.jwtBundleStream(.bundles(BundleSet(jwt: [ca.bundle.jwtBundle])))
            try await source.ready()
            #expect(try source.jwtBundle(for: ca.trustDomain).authorities.count == 1)
            #expect(try source.x509Bundle(for: ca.trustDomain).authorities.count == 1)
        }
    }

    @Test("a JWT source fetches tokens and knows the bundles to verify them with")
    func tokens() async throws {
        let source = JWTSource(streams: streams, timing: time.timing)
        let token = try ca.jwtToken("/web", audience: ["a"])
        let svid = try JWTSVID.parseInsecure(token, at: Date())
        streams.tokens.withLock { $0 = [svid] }
        streams.jwtBundleStream(.bundles(BundleSet(jwt: [ca.bundle.jwtBundle])))
        try await running(source.run) {
            try await source.ready()
            let fetched = try await source.jwtSVID(audience: ["a"])
            #expect(try JWTSVID.parseAndVerify(fetched.token, audience: ["a"], bundles: source, at: Date()).id == svid.id)
            await #expect(throws: SPIFFEError(.workloadAPI, "")) {
                try await source.jwtSVID(audience: ["a"], subject: ca.trustDomain.id)
            }
        }
    }
}
