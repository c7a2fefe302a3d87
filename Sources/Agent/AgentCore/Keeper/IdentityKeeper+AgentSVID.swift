// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Issuance
import Logging
import PluginAPI
import Synchronization
import Telemetry

extension IdentityKeeper {
    private static let lookInterval: Duration = .seconds(5)

    /// The loop that replaces the agent's own SVID when it is due.
    ///
    /// It looks before it waits: an agent that is started again and again, never for long, must not let its SVID lapse.
    func keepAgentSVID() async throws {
        var backoff = Backoff(first: Self.lookInterval, cap: .seconds(120))
        while true {
            do {
                if isAgentSVIDDue { try await meters.rotations.measure(clocks.time) { try await replaceAgentSVID() } }
                backoff.reset()
            } catch let error as CancellationError {
                throw error
            } catch {
                let verdict = self.verdict(on: error)
                if verdict != .goOn { throw LifeError(verdict: verdict, underlying: error) }
                let action = canReattest ? "reattest agent" : "rotate agent SVID"
                guard agentSVID.notAfter > clocks.time.now else {
                    throw SpireError(.svidExpired, "current SVID has already expired and \(action) failed: \(error)")
                }
                logger.error("Could not \(action)", metadata: [LogKey.error: "\(error)"])
            }
            try await clocks.time.sleep(for: backoff.next(AnyRandom(clocks.random)))
        }
    }

    private var canReattest: Bool { reattest != nil && agentSVID.isReattestable }

    private var isAgentSVIDDue: Bool {
        let mustRotate = state.withLock { $0.agentMustRotate }
        let svid = agentSVID
        let rule = RotationRule(availabilityTarget: settings.availabilityTarget)
        return mustRotate
            || rule.isDue(
                notBefore: svid.notBefore, notAfter: svid.notAfter, now: clocks.time.now,
                random: AnyRandom(clocks.random))
    }

    private func replaceAgentSVID() async throws {
        let current = agentSVID
        logger.debug("Rotating agent SVID")
        if let reattest, current.isReattestable {
            return try await adopt(try await reattest(current, authorities))
        }
        let key = try await keys.generateKey(id: KeySlot.next(after: current.key.id).rawValue, type: .ecP256)
        let csr = try await CSR.make(signer: key, uri: nil)
        let chain = try await server.renewAgent(csr: csr, timeout: Self.callTimeout)
        try await adopt(try AgentSVID(chain: chain, key: key, isReattestable: current.isReattestable))
    }

    /// Uses a new identity from now on: stored first, so that a crash in between loses nothing.
    func adopt(_ svid: AgentSVID) async throws {
        guard svid.id == agentSVID.id || canReattest else {
            throw SpireError(.serverAnswer, "the server renewed the SVID of another agent")
        }
        try await storage.update {
            $0.svid = svid.chain
            $0.isReattestable = svid.isReattestable
        }
        credentials.replace(svid)
        state.withLock { $0.agentMustRotate = false }
        await server.reconnect()
        streamIsOld.raise()
        logger.info("Successfully rotated agent SVID", metadata: [LogKey.spiffeID: "\(svid.id)"])
    }
}
