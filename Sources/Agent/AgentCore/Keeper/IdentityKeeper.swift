// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Groundwork
package import Logging
package import PluginAPI
import SPIFFE
import Synchronization
package import Telemetry

/// Keeps the agent's entries, bundles and SVIDs in step with the server, and hands them to whoever asks.
///
/// Its loops run in `run()`; everything else may be called at any time, from anywhere. While the server is away what is
/// cached goes on being served.
package final class IdentityKeeper: Sendable {
    struct State {
        var cache: SVIDCache
        var jwts: JWTCache
        var sizer = BatchSizer()
        var taints = TaintLedger()
        /// SVIDs signed by a tainted authority that are still to be dropped.
        var tainted: [String] = []
        var lastSync: Date?
        var agentMustRotate = false
        var push = PushState()
    }

    let settings: KeeperSettings
    let server: any IdentityServer
    let storage: AgentStorage
    let keys: any KeyManager
    let credentials: AgentCredentials
    let lane: BlockingLane
    let clocks: Clocks
    let logger: Logger
    let tracer: Tracer
    let meters: KeeperMeters
    /// Attests the node anew; `nil` when the attestation cannot be repeated.
    let reattest: (@Sendable (AgentSVID, [[UInt8]]) async throws -> AgentSVID)?
    let state: Mutex<State>
    let signingWanted = WakeSignal()
    let taintFound = WakeSignal()
    /// The open stream of changes shows an identity that has been replaced.
    let streamIsOld = WakeSignal()
    /// The agent's own bundle, for those who verify with it.
    package let ownBundle: Watch<TrustBundle>
    /// How often an RPC may take.
    static let callTimeout: Duration = .seconds(30)

    /// - Parameter credentials: What enrolment brought; shared with the server client, which shows it on each connection.
    package init(
        settings: KeeperSettings, credentials: AgentCredentials, server: any IdentityServer, storage: AgentStorage,
        keys: any KeyManager, lane: BlockingLane, clocks: Clocks, logger: Logger,
        instruments: Instruments = .off,
        reattest: (@Sendable (AgentSVID, [[UInt8]]) async throws -> AgentSVID)? = nil
    ) {
        tracer = instruments.tracer
        meters = KeeperMeters(instruments.meter)
        self.settings = settings
        self.server = server
        self.storage = storage
        self.keys = keys
        self.credentials = credentials
        self.lane = lane
        self.clocks = clocks
        self.logger = logger
        self.reattest = reattest
        let cache = SVIDCache(
            trustDomain: settings.trustDomain, bundle: credentials.bundle, limit: settings.x509CacheLimit,
            rule: RotationRule(availabilityTarget: settings.availabilityTarget))
        state = Mutex(State(cache: cache, jwts: JWTCache(limit: settings.jwtCacheLimit)))
        ownBundle = Watch(credentials.bundle)
    }

    // MARK: What others ask

    /// The agent's own SVID as it is now.
    package var agentSVID: AgentSVID { credentials.svid }

    /// DER certificates of the authorities the server is verified against.
    package var authorities: [[UInt8]] { credentials.authorities }

    /// When a synchronisation last succeeded.
    package var lastSync: Date? { state.withLock { $0.lastSync } }

    /// How much is cached, for the debug API.
    package var counts: (x509: Int, jwt: Int, entries: Int) {
        state.withLock { ($0.cache.svidCount, $0.jwts.count, $0.cache.entryCount) }
    }

    /// Follows what workloads with these selectors may know. Signing of what is missing begins at once.
    package func subscribe(_ selectors: SelectorSet) -> WorkloadSubscription {
        let now = clocks.time.uptime
        let (feed, needsSigning) = state.withLock { $0.cache.subscribe(selectors, now: now) }
        if needsSigning {
            logger.debug("Waiting for SVID to get cached", metadata: [LogKey.count: "\(selectors.selectors.count)"])
            signingWanted.raise()
        }
        return WorkloadSubscription(feed: feed) { [self] feed in state.withLock { $0.cache.unsubscribe(feed) } }
    }

    /// What workloads with these selectors may know at this moment, without waiting.
    package func update(for selectors: SelectorSet) -> WorkloadUpdate {
        state.withLock { $0.cache.update(for: selectors) }
    }

    /// The entries of workloads with these selectors, ordered by ID.
    package func entries(matching selectors: SelectorSet) -> [AgentEntry] {
        state.withLock { $0.cache.entries(matching: selectors) }
    }

    // MARK: The loops

    /// Keeps everything in step until cancelled or until going on makes no sense.
    ///
    /// - Throws: what ends the agent: `agent.banned`, `agent.not_attested`, `agent.svid_expired`,
    ///   `agent.must_rebootstrap`, `agent.server_untrusted`.
    package func run() async throws {
        while true {
            do {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.keepInStep() }
                    group.addTask { try await self.keepAgentSVID() }
                    group.addTask { try await self.dropTainted() }
                    if self.settings.usesPush { group.addTask { try await self.followChanges() } }
                    _ = try await group.next()
                    group.cancelAll()
                }
                return
            } catch let error as LifeError {
                try await survive(error)
            }
        }
    }

    /// Ends every workload's stream.
    package func close() {
        state.withLock { $0.cache.closeFeeds() }
        ownBundle.close()
    }

    /// The server no longer accepts this agent: attest again if that is possible, else end.
    private func survive(_ error: LifeError) async throws {
        guard error.verdict == .reattest, let reattest, agentSVID.isReattestable else {
            throw try await forgetIdentity(error)
        }
        do {
            try await adopt(try await reattest(agentSVID, authorities))
        } catch let failure as CancellationError {
            throw failure
        } catch let failure {
            logger.error("Agent failed to re-attest", metadata: [LogKey.error: "\(failure)"])
            throw try await forgetIdentity(error)
        }
    }

    /// What a failed call means for this agent.
    func verdict(on error: any Error) -> Verdict {
        Verdict(error, hasExpired: agentSVID.notAfter <= clocks.time.now)
    }

    /// Removes the SVID the server refuses, so that the next start attests anew.
    func forgetIdentity(_ error: LifeError) async throws -> any Error {
        let isBanned = error.verdict == .banned
        logger.warning(
            isBanned ? "Agent is banned: removing SVID and shutting down" : "Agent needs to re-attest: removing SVID and shutting down",
            metadata: [LogKey.error: "\(error.underlying)"])
        try await storage.update {
            $0.svid = []
            $0.isReattestable = false
        }
        return SpireError(isBanned ? .banned : .notAttested, "\(error.underlying)")
    }
}

/// An error after which the agent cannot go on under its present identity.
struct LifeError: Error {
    let verdict: Verdict
    let underlying: any Error
}
