// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Issuance
import Logging
import NIOCore
import PluginAPI
import PluginsBasic
import RPC
import SPIFFE
import Synchronization
import TestKit
import Wire

@testable import AgentAPI
@testable import AgentCore

let domain = try! TrustDomain("example.org")

/// Says of every process what it was told to, and counts.
final class ScriptedAttestor: WorkloadAttestor {
    let name: String
    let values: Mutex<[String]?>
    let calls = Mutex(0)
    /// Called while the process is attested.
    let during: @Sendable () -> Void
    /// Whether it can tell without waiting.
    let answersNow: Bool

    init(
        _ name: String, _ values: [String]?, answersNow: Bool = false, during: @escaping @Sendable () -> Void = {}
    ) {
        self.name = name
        self.answersNow = answersNow
        self.values = Mutex(values)
        self.during = during
    }

    func attest(_ caller: WorkloadCaller) async throws -> [String] {
        calls.withLock { $0 += 1 }
        during()
        guard let values = values.withLock({ $0 }) else { throw SpireError(.internal, "scripted failure") }
        return values
    }

    func attestNow(_ caller: WorkloadCaller) throws -> [String]? {
        guard answersNow else { return nil }
        calls.withLock { $0 += 1 }
        during()
        guard let values = values.withLock({ $0 }) else { throw SpireError(.internal, "scripted failure") }
        return values
    }
}

final class ScriptedPeer: UnixPeer {
    let pid: Int32
    let uid: UInt32 = 1
    let gid: UInt32 = 1
    private let alive = Mutex(true)
    init(pid: Int32 = 4242) { self.pid = pid }
    var isAlive: Bool { alive.withLock { $0 } }
    func end() { alive.withLock { $0 = false } }
}

/// Collects what a handler sends, and lets a test wait for it.
final class RecordingWriter: RawResponseWriter {
    private let state = Mutex<[ByteBuffer]>([])
    private let sent = WakeSignal()

    func write(_ message: ByteBuffer) async throws {
        state.withLock { $0.append(message) }
        sent.raise()
    }

    var messages: [ByteBuffer] { state.withLock { $0 } }

    func wait(for count: Int) async { while messages.count < count { await sent.wait() } }
}

/// Signs for real in this process.
final class LocalServer: IdentityServer {
    let entries = Mutex<[AgentEntry]>([])
    let authority: X509CA
    let tokenKey: LocalKey
    let isAway = Mutex(false)
    let clock: ManualClock

    init(clock: ManualClock) async throws {
        self.clock = clock
        tokenKey = try LocalKey.generate(.ecP256)
        authority = try await X509CA.selfSigned(
            signer: try LocalKey.generate(.ecP256), trustDomain: domain, subject: .authority, ttl: .seconds(864_000),
            now: clock.now, random: SystemRandom())
    }

    var trustBundle: TrustBundle {
        TrustBundle(
            trustDomain: domain, x509Authorities: [.init(der: authority.certificate.der)],
            jwtAuthorities: [.init(keyID: "key1", spki: tokenKey.publicKey.spki)])
    }

    func synchronizeEntries(
        timeout: Duration, compare: @Sendable ([EntrySync.Revision]) -> [String]
    ) async throws -> EntrySync.Outcome { .complete(entries.withLock { $0 }) }

    func followEntries(
        _ start: EntryPush.Start, leaving: @escaping @Sendable () -> Void,
        _ body: (EntryPush.Change, _ more: Bool) async throws -> Void
    ) async throws { throw RPCStatus(.unimplemented, "unknown service") }

    func connect(timeout: Duration) async throws {}

    func bundle(timeout: Duration) async throws -> TrustBundle { trustBundle }

    func federatedBundle(_ trustDomain: TrustDomain, timeout: Duration) async throws -> TrustBundle? {
        TrustBundle(trustDomain: trustDomain, x509Authorities: [.init(der: authority.certificate.der)])
    }

    func sign(_ key: PublicKeyInfo, _ id: SPIFFEID) async throws -> [[UInt8]] {
        let request = X509CA.Request(id: id, publicKey: key, ttl: .seconds(3600))
        return [try await authority.signSVID(request, now: clock.now, random: SystemRandom()).der]
    }

    func signX509(_ requests: [X509Request], timeout: Duration) async throws -> [Result<[[UInt8]], RPCStatus>] {
        var results: [Result<[[UInt8]], RPCStatus>] = []
        for request in requests {
            guard let entry = entries.withLock({ $0.first { $0.id == request.entryID } }) else {
                results.append(.failure(RPCStatus(.notFound, "entry not found or not authorized")))
                continue
            }
            results.append(.success(try await sign(try CSR.parse(request.csr).publicKey, entry.spiffeID)))
        }
        return results
    }

    func signJWT(entryID: String, audience: [String], timeout: Duration) async throws -> WorkloadJWT {
        if isAway.withLock({ $0 }) { throw RPCStatus(.unknown, "away") }
        guard let entry = entries.withLock({ $0.first { $0.id == entryID } }) else {
            throw RPCStatus(.notFound, "entry not found or not authorized")
        }
        let now = Int64(clock.now.timeIntervalSince1970)
        let claims = JWTClaims(subject: entry.spiffeID, audience: audience, issuedAt: now, expiresAt: now + 300)
        let writer = try JWSWriter(signer: tokenKey, keyID: "key1")
        return WorkloadJWT(
            token: try await writer.token(claims, now: now), issuedAt: clock.now, expiresAt: clock.now.addingTimeInterval(300))
    }

    func renewAgent(csr: [UInt8], timeout: Duration) async throws -> [[UInt8]] {
        throw RPCStatus(.unimplemented, "not here")
    }

    func postStatus(version: String, timeout: Duration) async throws {}
    func reconnect() async {}
}

/// A Workload API over a synchronised keeper, its handlers called directly.
final class Bench {
    let clock = ManualClock()
    let server: LocalServer
    let keeper: IdentityKeeper
    let attestor = ScriptedAttestor("unix", ["uid:1"])
    let peer = ScriptedPeer()
    let api: WorkloadAPI
    private let directory = "/tmp/spire-agent-api-tests-" + SystemRandom().uuid()

    init(_ entries: [AgentEntry], _ change: (inout WorkloadAPI.Configuration) -> Void = { _ in }) async throws {
        server = try await LocalServer(clock: clock)
        server.entries.withLock { $0 = entries }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let lane = BlockingLane("tests", width: 1)
        let keys = MemoryKeyManager(lane: lane)
        let key = try await keys.generateKey(id: "agent-svid-A", type: .ecP256)
        let id = try SPIFFEID(domain, path: "/spire/agent/join_token/t")
        let svid = try AgentSVID(chain: try await server.sign(key.publicKey, id), key: key, isReattestable: false)
        let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
        keeper = IdentityKeeper(
            settings: KeeperSettings(trustDomain: domain),
            credentials: AgentCredentials(svid: svid, bundle: server.trustBundle), server: server,
            storage: try AgentStorage(directory: directory, lane: lane), keys: keys, lane: lane,
            clocks: Clocks(time: clock, random: SeededRandom()), logger: logger)
        var configuration = WorkloadAPI.Configuration()
        change(&configuration)
        api = WorkloadAPI(
            keeper: keeper, attestation: WorkloadAttestation(attestors: [attestor], ownPID: 1, logger: logger),
            configuration: configuration, limits: CallLimits(perSecond: ["FetchJWTSVID": 2], ownPID: 1, time: clock),
            time: clock, logger: logger)
        try await keeper.initialize()
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func context(_ method: MethodPath) -> RPCContext { RPCContext(method: method, peer: PeerIdentity.unix(peer)) }

    func resynchronize(_ entries: [AgentEntry]) async throws {
        server.entries.withLock { $0 = entries }
        try await keeper.synchronize()
    }

    /// Runs a streaming handler until `body` returns, and returns what the handler threw, if it ended by itself.
    func stream(
        _ handler: @escaping @Sendable (WorkloadAPI, RecordingWriter) async throws -> Void,
        _ body: (RecordingWriter) async throws -> Void
    ) async throws -> (any Error)? {
        let writer = RecordingWriter()
        let api = api
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await handler(api, writer) }
            try await body(writer)
            group.cancelAll()
            if case .failure(let error)? = await group.nextResult(), !(error is CancellationError) { return error }
            return nil
        }
    }
}

func entry(
    _ id: String, _ path: String = "/web", uid: Int = 1, hint: String = "", createdAt: Int64 = 0,
    federatesWith: [String] = [], revision: Int64 = 1
) -> AgentEntry {
    AgentEntry(
        id: id, spiffeID: try! SPIFFEID(domain, path: path),
        selectors: SelectorSet([Selector(type: "unix", value: "uid:\(uid)")]),
        federatesWith: federatesWith.map { try! TrustDomain($0) }, revision: revision, hint: hint, createdAt: createdAt)
}
