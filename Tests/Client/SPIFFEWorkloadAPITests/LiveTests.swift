// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import RPC
import SPIFFE
import SPIFFETesting
import Testing

@testable import SPIFFEWorkloadAPI

@Suite(.timeLimit(.minutes(1))) struct LiveTests {
    let ca: ThrowawayCA
    let api: InProcessAPI
    let path: String

    init() throws {
        ca = try ThrowawayCA(try TrustDomain("example.org"))
        api = InProcessAPI(ca)
        path = "/tmp/workload-api-\(UInt64.random(in: .min ... .max)).sock"
    }

    func client() throws -> WorkloadAPIClient { try WorkloadAPIClient(endpoint: WorkloadAPIEndpoint("unix://\(path)")) }

    @Test("X.509 identities and bundles are fetched")
    func x509() async throws {
        let client = try client()
        try await api.serving(path) {
            let context = try await client.fetchX509Context()
            #expect(context.svids.map(\.id.path) == ["/web", "/db"])
            let bundles = try await client.fetchX509Bundles()
            #expect(bundles.x509Bundles == [ca.trustDomain: ca.bundle.x509Bundle])
        }
        await client.close()
    }

    @Test("tokens are fetched, verified here and validated there")
    func jwt() async throws {
        let client = try client()
        try await api.serving(path) {
            let bundles = try await client.fetchJWTBundles()
            let all = try await client.fetchJWTSVIDs(audience: ["a", "b"])
            #expect(all.map(\.id.path) == ["/web", "/db"])
            let subject = try SPIFFEID("spiffe://example.org/db")
            let one = try await client.fetchJWTSVIDs(audience: ["a"], subject: subject)
            #expect(one.map(\.id) == [subject])
            let verified = try JWTSVID.parseAndVerify(one[0].token, audience: ["a"], bundles: bundles, at: Date())
            #expect(verified.id == subject)
            let validated = try await client.validateJWTSVID(one[0].token, audience: "a")
            #expect(validated.id == subject)
            await #expect(throws: WorkloadAPIFailure.self) {
                try await client.validateJWTSVID(one[0].token, audience: "z")
            }
            await #expect(throws: WorkloadAPIFailure(RPCStatus(.invalidArgument, "audience must be specified"))) {
                try await client.fetchJWTSVIDs(audience: [])
            }
        }
        await client.close()
    }

    @Test("who has no identity is told so")
    func denied() async throws {
        let client = try client()
        api.change { $0.denied = true }
        try await api.serving(path) {
            await #expect(throws: WorkloadAPIFailure(RPCStatus(.permissionDenied, "no identity issued"))) {
                try await client.fetchX509Context()
            }
        }
        await client.close()
    }

    @Test("nobody listening is a failure to reach the Workload API")
    func nobodyListens() async throws {
        let client = try client()
        do {
            _ = try await client.fetchX509Context()
            Issue.record("nobody listens, but somebody answered")
        } catch let failure as WorkloadAPIFailure {
            #expect(failure.reason == .unavailable)
            #expect(failure.message.contains(path))
        }
        await client.close()
    }

    @Test("a source follows rotation, and survives a restart of the agent")
    func source() async throws {
        let client = try client()
        let next = try ThrowawayCA(ca.trustDomain)
        let last = try ThrowawayCA(ca.trustDomain)
        let source = X509Source(client: client)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await source.run() }
            defer { group.cancelAll() }
            var updates = source.updated().makeAsyncIterator()
            try await api.serving(path) {
                let first = await updates.next()
                #expect(first?.bundles.x509Bundles[ca.trustDomain] == ca.bundle.x509Bundle)
                api.change { $0.ca = next }
                let second = await updates.next()
                #expect(second?.bundles.x509Bundles[ca.trustDomain] == next.bundle.x509Bundle)
            }
            // Gone: what was received stays in use.
            let kept = try source.x509SVID()
            #expect(kept.id.path == "/web")
            api.change { $0.ca = last }
            try await api.serving(path) {
                // What the first agent sent while it went down may come before.
                while let update = await updates.next(),
                    update.bundles.x509Bundles[ca.trustDomain] != last.bundle.x509Bundle
                {}
                let bundle = try source.x509Bundle(for: ca.trustDomain)
                #expect(bundle == last.bundle.x509Bundle)
            }
        }
        await client.close()
    }

    @Test("scoped sources begin ready and end closed")
    func scoped() async throws {
        let client = try client()
        try await api.serving(path) {
            let left = try await withX509Source(client: client, pick: { $0.last }) { source in
                let svid = try source.x509SVID()
                #expect(svid.id.path == "/db")
                return source
            }
            #expect(throws: SPIFFEError(.closed, "")) { try left.x509SVID() }
            try await withBundleSource(client: client) { source in
                let authorities = try source.x509Bundle(for: ca.trustDomain).authorities
                #expect(authorities.count == 1)
            }
            try await withJWTSource(client: client) { source in
                let svid = try await source.jwtSVID(audience: ["a"])
                #expect(svid.id.path == "/web")
            }
        }
        await client.close()
    }
}

private let foreignEndpoint = ProcessInfo.processInfo.environment["SPIFFE_TEST_WORKLOAD_API"]

/// Against somebody else's server: `IntegrationTests/client/workload_api_server.py` listens there.
@Suite(.enabled(if: foreignEndpoint != nil), .timeLimit(.minutes(1))) struct ForeignAPITests {
    @Test("every call works against a foreign server")
    func calls() async throws {
        let client = try WorkloadAPIClient(endpoint: WorkloadAPIEndpoint(try #require(foreignEndpoint)))
        let context = try await client.fetchX509Context()
        #expect(context.svids.map(\.hint) == ["client", "server"])
        let verified = try X509SVID.verify(context.defaultSVID.chain, bundles: context.bundles, at: Date())
        #expect(verified.id.path == "/client")
        let x509 = try await client.fetchX509Bundles()
        #expect(x509 == context.bundles)
        let jwt = try await client.fetchJWTBundles()
        let svids = try await client.fetchJWTSVIDs(audience: ["a"])
        #expect(svids.map(\.hint) == ["client", "server"])
        #expect(try JWTSVID.parseAndVerify(svids[1].token, audience: ["a"], bundles: jwt, at: Date()).id.path == "/server")
        let validated = try await client.validateJWTSVID(svids[0].token, audience: "a")
        #expect(validated.id.path == "/client")
        await #expect(throws: WorkloadAPIFailure.self) { try await client.validateJWTSVID("x", audience: "a") }
        await client.close()
    }
}
