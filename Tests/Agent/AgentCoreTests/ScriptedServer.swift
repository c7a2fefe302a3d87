// SPDX-License-Identifier: Apache-2.0

import AgentCore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import PluginAPI
import PluginsBasic
import RPC
import SPIFFE
import Synchronization
import TestKit

/// A server in this process that signs for real, and fails when told to.
final class ScriptedServer: IdentityServer {
    struct State {
        var entries: [AgentEntry] = []
        var bundle: TrustBundle
        var federated: [TrustDomain: TrustBundle] = [:]
        var lifetime: Double = 3600
        /// Thrown by every call while set.
        var failure: (any Error & Sendable)?
        /// Thrown by signing calls while set.
        var signFailure: RPCStatus?
        var batches: [Int] = []
        var synchronizations = 0
        var tokens = 0
        var reconnects = 0
        var renewals = 0
        var versions: [String] = []
        /// What streams of changes were opened with.
        var streams: [EntryPush.Start] = []
        /// Connections made before the call that needs them, and what such an attempt fails with.
        var connects = 0
        var connectFailure: RPCStatus?
        var leaving: (@Sendable () -> Void)?
    }

    let state: Mutex<State>
    let clock: ManualClock
    private let authority: X509CA
    private let changed = WakeSignal()
    /// What the open stream of changes brings; without one the server knows no streams.
    let pushes = Mutex<[Push]?>(nil)
    private let pushed = WakeSignal()
    private let streamOpened = WakeSignal()
    private let connected = WakeSignal()
    private let delivered = WakeSignal()

    enum Push: Sendable {
        case change(EntryPush.Change, more: Bool = false)
        case end(RPCStatus)
    }

    init(clock: ManualClock) async throws {
        self.clock = clock
        authority = try await X509CA.selfSigned(
            signer: try LocalKey.generate(.ecP256), trustDomain: domain, subject: .authority, ttl: .seconds(864_000),
            now: clock.now, random: SystemRandom())
        state = Mutex(
            State(bundle: TrustBundle(trustDomain: domain, x509Authorities: [.init(der: authority.certificate.der)])))
    }

    func chain(_ key: PublicKeyInfo, uri: String) async throws -> [[UInt8]] {
        let lifetime = state.withLock { $0.lifetime }
        let request = X509CA.Request(id: try SPIFFEID(uri), publicKey: key, ttl: .seconds(lifetime))
        return [try await authority.signSVID(request, now: clock.now, random: SystemRandom()).der]
    }

    private func check() throws {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    func synchronizeEntries(
        timeout: Duration, compare: @Sendable ([EntrySync.Revision]) -> [String]
    ) async throws -> EntrySync.Outcome {
        state.withLock { $0.synchronizations += 1 }
        changed.raise()
        try check()
        return .complete(state.withLock { $0.entries })
    }

    func followEntries(
        _ start: EntryPush.Start, leaving: @escaping @Sendable () -> Void,
        _ body: (EntryPush.Change, _ more: Bool) async throws -> Void
    ) async throws {
        guard pushes.withLock({ $0 != nil }) else { throw RPCStatus(.unimplemented, "unknown service") }
        state.withLock {
            $0.streams.append(start)
            $0.leaving = leaving
        }
        streamOpened.raise()
        while true {
            guard let push = pushes.withLock({ $0?.isEmpty == false ? $0?.removeFirst() : nil }) else {
                guard await pushed.wait() else { throw RPCStatus(.cancelled, "context canceled") }
                continue
            }
            switch push {
            case .change(let change, let more):
                try await body(change, more)
                delivered.raise()
            case .end(let status): throw status
            }
        }
    }

    func push(_ some: Push...) {
        pushes.withLock { $0 = ($0 ?? []) + some }
        pushed.raise()
    }

    /// Asks the agent to go elsewhere, as a server does that stops.
    func sendAway() { state.withLock { $0.leaving }?() }

    func connect(timeout: Duration) async throws {
        let failure = state.withLock { state in
            state.connects += 1
            return state.connectFailure
        }
        connected.raise()
        if let failure { throw failure }
    }

    /// Waits until another change has been taken over.
    func nextDelivery() async { await delivered.wait() }

    /// Waits until another connection has been asked for.
    func nextConnect() async { await connected.wait() }

    /// Waits until another stream has been opened.
    func nextStream() async { await streamOpened.wait() }

    /// Waits until another synchronisation has begun.
    func nextSynchronization() async { await changed.wait() }

    func bundle(timeout: Duration) async throws -> TrustBundle {
        try check()
        return state.withLock { $0.bundle }
    }

    func federatedBundle(_ trustDomain: TrustDomain, timeout: Duration) async throws -> TrustBundle? {
        try check()
        return state.withLock { $0.federated[trustDomain] }
    }

    func signX509(_ requests: [X509Request], timeout: Duration) async throws -> [Result<[[UInt8]], RPCStatus>] {
        try check()
        let (entries, failure) = state.withLock { state in
            state.batches.append(requests.count)
            return (state.entries, state.signFailure)
        }
        if let failure { throw failure }
        var results: [Result<[[UInt8]], RPCStatus>] = []
        for request in requests {
            guard let entry = entries.first(where: { $0.id == request.entryID }) else {
                results.append(.failure(RPCStatus(.notFound, "entry not found or not authorized")))
                continue
            }
            let csr = try CSR.parse(request.csr)
            results.append(.success(try await chain(csr.publicKey, uri: entry.spiffeID.description)))
        }
        return results
    }

    func signJWT(entryID: String, audience: [String], timeout: Duration) async throws -> WorkloadJWT {
        try check()
        let number = state.withLock { state in
            state.tokens += 1
            return state.tokens
        }
        return WorkloadJWT(
            token: "token\(number)", issuedAt: clock.now, expiresAt: clock.now.addingTimeInterval(300))
    }

    func renewAgent(csr: [UInt8], timeout: Duration) async throws -> [[UInt8]] {
        try check()
        state.withLock { $0.renewals += 1 }
        return try await chain(try CSR.parse(csr).publicKey, uri: Rig.agentID)
    }

    func postStatus(version: String, timeout: Duration) async throws {
        try check()
        state.withLock { $0.versions.append(version) }
    }

    func reconnect() async { state.withLock { $0.reconnects += 1 } }
}

/// An agent's keeper with a scripted server, a clock that stands still and a directory of its own.
final class Rig {
    static let agentID = "spiffe://example.org/spire/agent/join_token/t"
    let clock = ManualClock()
    let server: ScriptedServer
    let directory = TemporaryDirectory()
    let storage: AgentStorage
    let keeper: IdentityKeeper
    let lane = BlockingLane("tests", width: 2)

    init(
        entries: [AgentEntry] = [], agentLifetime: Double = 3600, isReattestable: Bool = false, pushes: Bool = false,
        settings change: (inout KeeperSettings) -> Void = { _ in },
        reattest: (@Sendable (AgentSVID, [[UInt8]]) async throws -> AgentSVID)? = nil
    ) async throws {
        server = try await ScriptedServer(clock: clock)
        server.state.withLock {
            $0.entries = entries
            $0.lifetime = agentLifetime
        }
        storage = try AgentStorage(directory: directory.path, lane: lane)
        let keys = MemoryKeyManager(lane: lane)
        let key = try await keys.generateKey(id: "agent-svid-A", type: .ecP256)
        let svid = try AgentSVID(
            chain: try await server.chain(key.publicKey, uri: Self.agentID), key: key,
            isReattestable: isReattestable)
        var settings = KeeperSettings(trustDomain: domain)
        settings.usesPush = pushes
        if pushes { server.pushes.withLock { $0 = [] } }
        change(&settings)
        keeper = IdentityKeeper(
            settings: settings, credentials: AgentCredentials(svid: svid, bundle: server.state.withLock { $0.bundle }),
            server: server, storage: storage, keys: keys, lane: lane,
            clocks: Clocks(time: clock, random: SeededRandom()),
            logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }, reattest: reattest)
    }

    /// Runs the keeper's loops beside `body`; they are cancelled after it.
    func running(_ body: (Rig) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let keeper = keeper
            group.addTask { try await keeper.run() }
            try await body(self)
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }
}
