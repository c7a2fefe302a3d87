// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Issuance
import Logging
import NIOCore
import RPC
import SPIFFE
import SwiftProtobuf
import Synchronization
import TestKit
import Testing
import Wire
import WorkloadProtos

@testable import AgentAPI
@testable import AgentCore

private let x509 = WorkloadAPIMethods.fetchX509SVID.path

struct FetchX509SVIDTests {
    private func fetch(_ bench: Bench, _ body: (RecordingWriter) async throws -> Void) async throws -> (any Error)? {
        let context = bench.context(x509)
        return try await bench.stream({ try await $0.fetchX509SVID(ResponseWriter(raw: $1), context) }, body)
    }

    private func decode(_ buffer: ByteBuffer) throws -> Workload_X509SVIDResponse {
        try Workload_X509SVIDResponse(serializedBytes: Array(buffer.readableBytesView))
    }

    @Test("a workload gets its identities in the order of their entries, each with key, chain and bundle")
    func identities() async throws {
        let bench = try await Bench([
            entry("b", "/second"), entry("a", "/first", hint: "internal", federatesWith: ["other.org"]),
            entry("c", "/foreign", uid: 2),
        ])
        let ended = try await fetch(bench) { writer in
            await writer.wait(for: 1)
            let response = try decode(writer.messages[0])
            #expect(response.svids.map(\.spiffeID) == ["spiffe://example.org/first", "spiffe://example.org/second"])
            #expect(response.svids.map(\.hint) == ["internal", ""])
            #expect(Array(response.federatedBundles.keys) == ["spiffe://other.org"])
            let svid = response.svids[0]
            let bundle = try X509Bundle(domain, der: Array(svid.bundle))
            let verified = try X509SVID.verify(der: [Array(svid.x509Svid)], bundles: bundle, at: bench.clock.now)
            #expect(verified.id.path == "/first")
            let key = try LocalKey(pkcs8: Array(svid.x509SvidKey))
            #expect(try key.publicKey.spki == CertificateSummary(Array(svid.x509Svid)).spki)
        }
        #expect(ended == nil)
    }

    @Test("an open stream hears of a new entry, and ends with PermissionDenied when the last entry goes")
    func updates() async throws {
        let bench = try await Bench([entry("a", "/first")])
        let ended = try await fetch(bench) { writer in
            await writer.wait(for: 1)
            try await bench.resynchronize([entry("a", "/first"), entry("b", "/second")])
            await writer.wait(for: 2)
            let second = try decode(writer.messages[1])
            #expect(second.svids.count == 2)
            try await bench.resynchronize([])
        }
        _ = ended
        let after = try await fetch(bench) { _ in
            while bench.attestor.calls.withLock({ $0 }) < 2 { await Task.yield() }
            for _ in 0..<100 { await Task.yield() }
        }
        #expect((after as? RPCStatus)?.code == .permissionDenied)
    }

    @Test("a workload without entries is told so, and nothing else")
    func none() async throws {
        let bench = try await Bench([entry("a", uid: 7)])
        let context = bench.context(x509)
        let writer = RecordingWriter()
        await #expect(throws: RPCStatus(.permissionDenied, "no identity issued")) {
            try await bench.api.fetchX509SVID(ResponseWriter(raw: writer), context)
        }
        #expect(writer.messages.isEmpty)
    }

    @Test("workloads with the same selectors get the same bytes, encoded once")
    func shared() async throws {
        let bench = try await Bench([entry("a")])
        var seen: [ByteBuffer] = []
        for _ in 0..<2 {
            _ = try await fetch(bench) { writer in
                await writer.wait(for: 1)
                seen.append(writer.messages[0])
            }
        }
        let addresses = seen.map { $0.withUnsafeReadableBytes { $0.baseAddress } }
        #expect(addresses[0] == addresses[1])
    }

    @Test("of entries with the same hint only the oldest is handed out")
    func hints() async throws {
        let bench = try await Bench([
            entry("a", "/young", hint: "x", createdAt: 9), entry("b", "/old", hint: "x", createdAt: 1), entry("c", "/plain"),
        ])
        _ = try await fetch(bench) { writer in
            await writer.wait(for: 1)
            let ids = try decode(writer.messages[0]).svids.map(\.spiffeID)
            #expect(ids == ["spiffe://example.org/old", "spiffe://example.org/plain"])
        }
    }

    @Test("the process is attested once a stream, however many updates follow")
    func attestedOnce() async throws {
        let bench = try await Bench([entry("a")])
        _ = try await fetch(bench) { writer in
            await writer.wait(for: 1)
            try await bench.resynchronize([entry("a"), entry("b", "/second")])
            await writer.wait(for: 2)
        }
        #expect(bench.attestor.calls.withLock { $0 } == 1)
    }
}

struct WorkloadAttestationTests {
    private func attestation(_ attestors: [ScriptedAttestor]) -> WorkloadAttestation {
        WorkloadAttestation(attestors: attestors, ownPID: 1, logger: .init(label: "t") { _ in SwiftLogNoOpLogHandler() })
    }

    @Test("a process that ends while it is attested gets nothing: its number may be another's by now")
    func ended() async throws {
        let peer = ScriptedPeer()
        let attestor = ScriptedAttestor("unix", ["uid:0"], during: { peer.end() })
        await #expect(throws: RPCStatus(.unavailable, "workload attestation failed")) {
            try await attestation([attestor]).attest(peer)
        }
    }

    @Test("a caller whose process is not known gets nothing")
    func unknown() async throws {
        await #expect(throws: RPCStatus(.unavailable, "workload attestation failed")) {
            try await attestation([ScriptedAttestor("unix", ["uid:0"])]).attest(ScriptedPeer(pid: 0))
        }
    }

    @Test("when one attestor of several fails the others' selectors count; when all fail the call does")
    func failures() async throws {
        let good = ScriptedAttestor("unix", ["uid:1"])
        let bad = ScriptedAttestor("docker", nil)
        #expect(try await attestation([good, bad]).attest(ScriptedPeer()).selectors.map(\.description) == ["unix:uid:1"])
        await #expect(throws: RPCStatus(.unavailable, "workload attestation failed")) {
            try await attestation([bad, ScriptedAttestor("k8s", nil)]).attest(ScriptedPeer())
        }
        await #expect(throws: RPCStatus(.unavailable, "workload attestation failed")) {
            try await attestation([bad]).attest(ScriptedPeer())
        }
        #expect(try await attestation([ScriptedAttestor("unix", [])]).attest(ScriptedPeer()).isEmpty)
    }

    @Test("one attestor that can tell at once is not waited for; any other case is left to the way that waits")
    func atOnce() throws {
        let now = ScriptedAttestor("unix", ["uid:1"], answersNow: true)
        #expect(try attestation([now]).attestNow(ScriptedPeer())?.selectors.map(\.description) == ["unix:uid:1"])
        #expect(now.calls.withLock { $0 } == 1)
        #expect(try attestation([now, now]).attestNow(ScriptedPeer()) == nil)
        #expect(try attestation([]).attestNow(ScriptedPeer()) == nil)
        #expect(try attestation([ScriptedAttestor("unix", ["uid:1"])]).attestNow(ScriptedPeer()) == nil)
        #expect(try attestation([ScriptedAttestor("unix", nil, answersNow: true)]).attestNow(ScriptedPeer()) == nil)
        #expect(try attestation([now]).attestNow(ScriptedPeer(pid: 0)) == nil)
    }

    @Test("a process that ends while it is attested at once gets nothing either")
    func endedAtOnce() {
        let peer = ScriptedPeer()
        let attestor = ScriptedAttestor("unix", ["uid:0"], answersNow: true, during: { peer.end() })
        #expect(throws: RPCStatus(.unavailable, "workload attestation failed")) {
            try attestation([attestor]).attestNow(peer)
        }
    }
}

struct SecurityHeaderTests {
    private func admit(_ metadata: Metadata, service: String = "SpiffeWorkloadAPI") throws {
        _ = try SecurityHeader().admitNow(
            RPCContext(
                method: MethodPath(service: service, name: "FetchX509SVID"), metadata: metadata,
                peer: PeerIdentity.inProcess))
    }

    @Test("a Workload API call needs exactly one header that says true; other services need none")
    func header() throws {
        try admit(["workload.spiffe.io": "true"])
        try admit([:], service: "grpc.health.v1.Health")
        for bad: Metadata in [
            [:], ["workload.spiffe.io": "false"], ["workload.spiffe.io": "TRUE"],
            ["workload.spiffe.io": "true", "workload.spiffe.io": "true"],
        ] {
            #expect(throws: RPCStatus(.invalidArgument, "security header missing from request")) { try admit(bad) }
        }
    }
}

struct JWTTests {
    private func request(_ audience: [String], _ id: String = "") -> Workload_JWTSVIDRequest {
        var request = Workload_JWTSVIDRequest()
        request.audience = audience
        request.spiffeID = id
        return request
    }

    private func fetch(_ bench: Bench, _ request: Workload_JWTSVIDRequest) async throws -> Workload_JWTSVIDResponse {
        try await bench.api.fetchJWTSVID(request, bench.context(WorkloadAPIMethods.fetchJWTSVID.path))
    }

    private func validate(_ bench: Bench, _ token: String, _ audience: String) async throws
        -> Workload_ValidateJWTSVIDResponse
    {
        var request = Workload_ValidateJWTSVIDRequest()
        request.svid = token
        request.audience = audience
        return try await bench.api.validateJWTSVID(
            request, bench.context(WorkloadAPIMethods.validateJWTSVID.path))
    }

    @Test("a token is issued for each identity, or for the one asked for, and validates for its audience only")
    func roundTrip() async throws {
        let bench = try await Bench([entry("a", "/first"), entry("b", "/second")])
        let all = try await fetch(bench, request(["aud1"]))
        #expect(all.svids.map(\.spiffeID) == ["spiffe://example.org/first", "spiffe://example.org/second"])
        let one = try await fetch(bench, request(["aud1"], "spiffe://example.org/second"))
        #expect(one.svids.map(\.svid) == [all.svids[1].svid])
        let valid = try await validate(bench, one.svids[0].svid, "aud1")
        #expect(valid.spiffeID == "spiffe://example.org/second")
        #expect(valid.claims.fields["aud"]?.listValue.values.map(\.stringValue) == ["aud1"])
        #expect(valid.claims.fields["sub"]?.stringValue == "spiffe://example.org/second")
        await #expect(
            throws: RPCStatus(.invalidArgument, #"expected audience in ["other"] (audience=["aud1"])"#)
        ) { try await validate(bench, one.svids[0].svid, "other") }
    }

    @Test("an expired token does not validate")
    func expired() async throws {
        let bench = try await Bench([entry("a")])
        let token = try await fetch(bench, request(["x"])).svids[0].svid
        bench.clock.advance(by: .seconds(361))
        await #expect(throws: RPCStatus(.invalidArgument, "token has expired")) { try await validate(bench, token, "x") }
    }

    @Test("what is missing or malformed in a request is named")
    func badRequests() async throws {
        let bench = try await Bench([entry("a")])
        await #expect(throws: RPCStatus(.invalidArgument, "audience must be specified")) { try await fetch(bench, request([])) }
        await #expect(throws: RPCStatus(.invalidArgument, "invalid requested SPIFFE ID: scheme is missing or invalid")) {
            try await fetch(bench, request(["a"], "http://x"))
        }
        await #expect(throws: RPCStatus(.permissionDenied, "no identity issued")) {
            try await fetch(bench, request(["a"], "spiffe://example.org/nobody"))
        }
        await #expect(throws: RPCStatus(.invalidArgument, "audience must be specified")) { try await validate(bench, "x", "") }
        await #expect(throws: RPCStatus(.invalidArgument, "svid must be specified")) { try await validate(bench, "", "x") }
    }

    @Test("without a server a token that is not cached is unavailable")
    func away() async throws {
        let bench = try await Bench([entry("a")])
        bench.server.isAway.withLock { $0 = true }
        do {
            _ = try await fetch(bench, request(["x"]))
            #expect(Bool(false), "it was issued")
        } catch let status as RPCStatus {
            #expect(status.code == .unavailable && status.message.hasPrefix("could not fetch JWT-SVID: "))
        }
    }

    @Test("calls beyond the limit of their selectors are refused")
    func limited() async throws {
        let bench = try await Bench([entry("a")])
        _ = try await fetch(bench, request(["x"]))
        _ = try await fetch(bench, request(["x"]))
        await #expect(throws: RPCStatus(.unavailable, "rate limit exceeded for /SpiffeWorkloadAPI/FetchJWTSVID")) {
            try await fetch(bench, request(["x"]))
        }
    }
}

struct BundleStreamTests {
    private func jwtBundles(_ bench: Bench, _ body: (RecordingWriter) async throws -> Void) async throws -> (any Error)? {
        let context = bench.context(WorkloadAPIMethods.fetchJWTBundles.path)
        return try await bench.stream({ try await $0.fetchJWTBundles(ResponseWriter(raw: $1), context) }, body)
    }

    @Test("JWT bundles are the standard key set, indented by four spaces, without SPIFFE members")
    func document() async throws {
        let bench = try await Bench([entry("a")])
        _ = try await jwtBundles(bench) { writer in
            await writer.wait(for: 1)
            let response = try Workload_JWTBundlesResponse(serializedBytes: Array(writer.messages[0].readableBytesView))
            let text = String(decoding: try #require(response.bundles["spiffe://example.org"]), as: UTF8.self)
            #expect(text.hasPrefix("{\n    \"keys\": [\n        {\n            \"kty\": \"EC\",\n            \"kid\": \"key1\","))
            #expect(!text.contains("\"use\"") && !text.contains("spiffe"))
        }
    }

    @Test("equal messages are not repeated")
    func suppressed() async throws {
        let bench = try await Bench([entry("a")])
        _ = try await jwtBundles(bench) { writer in
            await writer.wait(for: 1)
            try await bench.resynchronize([entry("a", revision: 2)])
            try await bench.resynchronize([entry("a", revision: 2), entry("b", "/b", federatesWith: ["other.org"])])
            await writer.wait(for: 2)
            let response = try Workload_JWTBundlesResponse(serializedBytes: Array(writer.messages[1].readableBytesView))
            #expect(response.bundles.count == 2)
        }
    }

    @Test("a caller without identity gets bundles only where that is allowed, and only the own one")
    func unauthenticated() async throws {
        let closed = try await Bench([])
        let context = closed.context(WorkloadAPIMethods.fetchX509Bundles.path)
        await #expect(throws: RPCStatus(.permissionDenied, "no identity issued")) {
            try await closed.api.fetchX509Bundles(ResponseWriter(raw: RecordingWriter()), context)
        }
        let open = try await Bench([]) { $0.allowsUnauthenticatedVerifiers = true }
        _ = try await open.stream({ try await $0.fetchX509Bundles(ResponseWriter(raw: $1), context) }) { writer in
            await writer.wait(for: 1)
            let response = try Workload_X509BundlesResponse(serializedBytes: Array(writer.messages[0].readableBytesView))
            #expect(Array(response.bundles.keys) == ["spiffe://example.org"])
        }
    }
}
