// SPDX-License-Identifier: Apache-2.0

import APIProtos
import AgentCore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import NIOCore
import NIOPosix
import PluginAPI
import RPC
import SPIFFE
import Synchronization
import SwiftProtobuf
import Telemetry
import Testing
import Wire
import WorkloadProtos

@testable import AgentRuntime

/// A whole agent on temporary sockets, against a small server over real TLS.
struct AgentEndToEndTests {
    final class Place {
        let path = "/tmp/spire-e2e-" + SystemRandom().uuid().prefix(8)
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    static let header = CallOptions(timeout: .seconds(20), metadata: ["workload.spiffe.io": "true"])

    func config(_ place: Place, port: Int, _ extra: String, keys: String = "disk") throws -> AgentConfig {
        let text = """
            agent {
              data_dir = "\(place.path)/data"
              trust_domain = "example.org"
              server_address = "127.0.0.1"
              server_port = \(port)
              socket_path = "\(place.path)/agent.sock"
              \(extra)
            }
            plugins {
              KeyManager "\(keys)" { plugin_data { \(keys == "disk" ? "directory = \"\(place.path)/data\"" : "") } }
              NodeAttestor "join_token" { plugin_data {} }
              WorkloadAttestor "unix" { plugin_data {} }
            }
            """
        return try AgentConfig.decode(Array(text.utf8), path: "agent.conf", workingDirectory: "/")
    }

    /// Runs an agent until `body` returns.
    func agent(
        _ config: AgentConfig, instruments: Instruments = .off, _ body: (RPCClient) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let logger = Logger(label: "agent") { _ in SwiftLogNoOpLogHandler() }
        try ProcessSurroundings.makeDirectory(config.dataDir)
        let outcome: Result<Void, any Error>
        do {
            let parts = try await Composition.build(
                config, logger: logger, clocks: .system, group: group, instruments: instruments)
            outcome = .success(
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try await Agent(parts: parts).run() }
                    let client = Channels.unix(path: config.socketPath, group: group)
                    tasks.addTask {
                        // The agent listens once it has its identity; the socket's file is there a moment earlier.
                        while !(await Self.answers(config.socketPath, on: group)) {
                            try await SystemTime().sleep(for: .milliseconds(5))
                        }
                    }
                    try await tasks.next()
                    try await body(client)
                    await client.close()
                    tasks.cancelAll()
                    while let result = await tasks.nextResult() {
                        if case .failure(let error) = result, !(error is CancellationError) { throw error }
                    }
                })
        } catch {
            outcome = .failure(error)
        }
        try? await group.shutdownGracefully()
        try outcome.get()
    }

    private static func answers(_ path: String, on group: any EventLoopGroup) async -> Bool {
        guard let channel = try? await ClientBootstrap(group: group).connect(unixDomainSocketPath: path).get() else {
            return false
        }
        try? await channel.close()
        return true
    }

    func x509(_ client: RPCClient) async throws -> Workload_X509SVIDResponse {
        try await client.serverStreaming(
            WorkloadAPIMethods.fetchX509SVID, Workload_X509SVIDRequest(), options: Self.header
        ) { try #require(try await $0.next()) }
    }

    @Test("a join token becomes an identity for the node and for its workloads; a restart needs no token")
    func firstIdentity() async throws {
        let server = try await SmallServer()
        server.state.withLock {
            $0.tokens = ["secret-token"]
            $0.entries = [
                SmallServer.entry("a", "/web", "unix:uid:\(getuid())"), SmallServer.entry("b", "/other", "unix:uid:54321"),
                SmallServer.entry("c", "/db", "unix:uid:\(getuid())", "unix:gid:\(getgid())"),
            ]
        }
        let place = try Place()
        try AtomicFile.write(Array(server.bundlePEM.utf8), to: place.path + "/bundle.pem")
        try await server.run { port in
            let trust = "trust_bundle_path = \"\(place.path)/bundle.pem\"\n"
            try await agent(try config(place, port: port, trust + "join_token = \"secret-token\"")) { client in
                let response = try await x509(client)
                #expect(response.svids.map(\.spiffeID) == ["spiffe://example.org/web", "spiffe://example.org/db"])
                let bundle = try X509Bundle(server.domain, der: Array(response.svids[0].bundle))
                let verified = try X509SVID.verify(
                    der: [Array(response.svids[0].x509Svid)], bundles: bundle, at: SystemTime().now)
                #expect(verified.id.path == "/web")
                try await checkTokens(client)
                try await checkRefusals(client)
            }
            #expect(server.state.withLock { $0.attestations } == 1)
            try await agent(try config(place, port: port, trust)) { client in
                let count = try await x509(client).svids.count
                #expect(count == 2)
            }
            #expect(server.state.withLock { $0.attestations } == 1)
        }
        let data = try AgentData(decoding: try #require(try AtomicFile.read(place.path + "/data/agent-data.json")))
        #expect(data.svid.count == 1 && data.bundle == [server.authority.certificate.der])
        #expect(data.bootstrapUse == .rebootstrap && data.connectionAttempts == 0)
    }

    private func checkTokens(_ client: RPCClient) async throws {
        var request = Workload_JWTSVIDRequest()
        request.audience = ["aud1"]
        request.spiffeID = "spiffe://example.org/db"
        let tokens = try await client.unary(WorkloadAPIMethods.fetchJWTSVID, request, options: Self.header)
        #expect(tokens.svids.count == 1)
        var validation = Workload_ValidateJWTSVIDRequest()
        validation.audience = "aud1"
        validation.svid = tokens.svids[0].svid
        let valid = try await client.unary(WorkloadAPIMethods.validateJWTSVID, validation, options: Self.header)
        #expect(valid.spiffeID == "spiffe://example.org/db")
    }

    private func checkRefusals(_ client: RPCClient) async throws {
        await #expect(throws: RPCStatus(.invalidArgument, "security header missing from request")) {
            try await client.serverStreaming(WorkloadAPIMethods.fetchX509SVID, Workload_X509SVIDRequest()) {
                try await $0.next()
            }
        }
        await #expect(throws: RPCStatus(.unimplemented, "fetching WIT-SVIDs is not implemented")) {
            try await client.serverStreaming(
                WorkloadAPIMethods.fetchWITSVID, Workload_WITSVIDRequest(), options: Self.header
            ) { try await $0.next() }
        }
        let health = try await client.unary(HealthMethods.check, Grpc_Health_V1_HealthCheckRequest())
        #expect(health.status == .serving)
    }

    @Test("an agent may believe the first server that answers, and takes a used token for what it is")
    func insecureAndUsedToken() async throws {
        let server = try await SmallServer()
        server.state.withLock { $0.tokens = ["t1"] }
        try await server.run { port in
            let place = try Place()
            let extra = "insecure_bootstrap = true\njoin_token = \"t1\""
            try await agent(try config(place, port: port, extra, keys: "memory")) { client in
                await #expect(throws: RPCStatus(.permissionDenied, "no identity issued")) { try await x509(client) }
            }
            let other = try Place()
            let parts = try await Composition.build(
                try config(other, port: port, extra, keys: "memory"), logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() },
                clocks: .system, group: MultiThreadedEventLoopGroup.singleton)
            let key = try await parts.keys.generateKey(id: "agent-svid-A", type: .ecP256)
            await #expect(
                throws: RPCStatus(
                    .invalidArgument, "failed to attest: join token does not exist or has already been used")
            ) {
                try await parts.enrollment.client.attest(
                    with: JoinTokenAttestor(token: "t1"), key: key, authorities: nil)
            }
        }
    }

    @Test("a server of another authority, and one with another name, are refused before the token is sent")
    func impostor() async throws {
        let server = try await SmallServer()
        let honest = try await SmallServer()
        server.state.withLock { $0.tokens = ["t1"] }
        try await server.run { port in
            let place = try Place()
            let parts = try await Composition.build(
                try config(place, port: port, "insecure_bootstrap = true", keys: "memory"),
                logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() }, clocks: .system,
                group: MultiThreadedEventLoopGroup.singleton)
            let key = try await parts.keys.generateKey(id: "agent-svid-A", type: .ecP256)
            await #expect(throws: SpireError(.serverUntrusted, "")) {
                try await parts.enrollment.client.attest(
                    with: JoinTokenAttestor(token: "t1"), key: key, authorities: [honest.authority.certificate.der])
            }
            let wrongPlace = ServerPlace(host: "127.0.0.1", port: port, trustDomain: try TrustDomain("other.org"))
            let stranger = NodeAttestationClient(
                place: wrongPlace, group: MultiThreadedEventLoopGroup.singleton, clocks: .system,
                logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() })
            await #expect(throws: SpireError(.serverIdentity, "")) {
                try await stranger.attest(with: JoinTokenAttestor(token: "t1"), key: key, authorities: nil)
            }
        }
        #expect(server.state.withLock { $0.tokens } == ["t1"])
    }

    @Test("thousands of streams opened at once are all answered", .timeLimit(.minutes(5)))
    func manyStreams() async throws {
        let server = try await SmallServer()
        server.state.withLock {
            $0.tokens = ["t"]
            $0.entries = [SmallServer.entry("a", "/web", "unix:uid:\(getuid())")]
        }
        let place = try Place()
        try await server.run { port in
            let extra = "insecure_bootstrap = true\njoin_token = \"t\""
            try await agent(try config(place, port: port, extra, keys: "memory")) { client in
                let patient = CallOptions(timeout: .seconds(280), metadata: Self.header.metadata)
                let answered = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<2000 {
                        group.addTask {
                            try await client.serverStreaming(
                                WorkloadAPIMethods.fetchX509SVID, Workload_X509SVIDRequest(), options: patient
                            ) { try await $0.next()?.svids.count ?? 0 }
                        }
                    }
                    return try await group.reduce(0, +)
                }
                #expect(answered == 2000)
            }
        }
        #expect(server.state.withLock { $0.signed } == 1)
    }

    @Test("an original agent's data directory is taken over without a token")
    func originalState() async throws {
        guard let samples = ProcessInfo.processInfo.environment["SPIRE_SAMPLES"],
            let data = try AtomicFile.read(samples + "/spire-state/sqlite/agent/agent-data.json"),
            let keys = try AtomicFile.read(samples + "/spire-state/sqlite/agent/keys.json")
        else {
            print("skipped: set SPIRE_SAMPLES to the samples' folder")
            return
        }
        let place = try Place()
        try FileManager.default.createDirectory(atPath: place.path + "/data", withIntermediateDirectories: true)
        try AtomicFile.write(data, to: place.path + "/data/agent-data.json")
        try AtomicFile.write(keys, to: place.path + "/data/keys.json")
        let parts = try await Composition.build(
            try config(place, port: 1, "insecure_bootstrap = true"),
            logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() }, clocks: .system,
            group: MultiThreadedEventLoopGroup.singleton)
        let enrolled = try await parts.enrollment.run()
        #expect(!enrolled.isNew && enrolled.svid.key.id == "agent-svid-A")
        #expect(enrolled.svid.id.path.hasPrefix("/spire/agent/join_token/"))
        #expect(try AtomicFile.read(place.path + "/data/agent-data.json") == data)
    }
}
