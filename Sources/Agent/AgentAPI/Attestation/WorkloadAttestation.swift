// SPDX-License-Identifier: Apache-2.0

package import AgentCore
package import Groundwork
package import Logging
package import PluginAPI
import RPC
package import Telemetry
package import Wire

/// Finds out the selectors of a calling process: asks every attestor, then makes sure that it is still the process that
/// connected.
package struct WorkloadAttestation: Sendable {
    private let attestors: [any WorkloadAttestor]
    private let logger: Logger
    private let ownPID: Int32
    private let attestations: CallCounter
    private let asked: [String: CallCounter]
    private let discovered: Sample
    private let tracer: Tracer
    private let time: any TimeSource

    /// - Parameter ownPID: The agent's own process, whose attestations are not logged.
    package init(
        attestors: [any WorkloadAttestor], ownPID: Int32, instruments: Instruments = .off,
        time: any TimeSource = SystemTime(), logger: Logger
    ) {
        let meter = instruments.meter
        attestations = meter.call(["workload_api", "workload_attestation"])
        asked = Dictionary(
            attestors.map { ($0.name, meter.call(["workload_api", "workload_attestor"], [("attestor", $0.name)])) },
            uniquingKeysWith: { first, _ in first })
        discovered = meter.sample(["workload_api", "discovered_selectors"])
        tracer = instruments.tracer
        self.time = time
        self.attestors = attestors
        self.ownPID = ownPID
        self.logger = logger
    }

    static let failed = RPCStatus(.unavailable, "workload attestation failed")

    /// - Throws: `Unavailable` when every attestor failed, or when the process has ended meanwhile: whatever was read
    ///   may then be about another process that got its number.
    package func attest(_ peer: any UnixPeer) async throws -> SelectorSet {
        try await attestations.measure(time) {
            let selectors = try await tracer.trace("workload.attest") { try await find(peer) }
            discovered.add(Double(selectors.selectors.count))
            return selectors
        }
    }

    /// The same where nothing has to be waited for: with one attestor, which can tell at once. Costs a call less time and
    /// less memory.
    ///
    /// - Returns: `nil` when `attest` is to be asked, among others for its error.
    package func attestNow(_ peer: any UnixPeer) throws -> SelectorSet? {
        guard attestors.count == 1, let attestor = attestors.first, !tracer.isOn, peer.pid > 0 else { return nil }
        let start = attestations.isOn ? time.uptime : .zero
        let caller = WorkloadCaller(pid: peer.pid, uid: peer.uid, gid: peer.gid)
        guard let values = try? attestor.attestNow(caller) else { return nil }
        if attestations.isOn { asked[attestor.name]?.record(.ok, time.uptime - start) }
        do {
            let selectors = try verified(values.map { Selector(type: attestor.name, value: $0) }, peer)
            if attestations.isOn { attestations.record(.ok, time.uptime - start) }
            discovered.add(Double(selectors.selectors.count))
            return selectors
        } catch {
            if attestations.isOn { attestations.record(WireStatus(of: error), time.uptime - start) }
            throw error
        }
    }

    private func find(_ peer: any UnixPeer) async throws -> SelectorSet {
        guard peer.pid > 0 else { throw Self.failed }
        let caller = WorkloadCaller(pid: peer.pid, uid: peer.uid, gid: peer.gid)
        var found: [Selector] = []
        var failures = 0
        if attestors.count == 1 {
            // The usual case needs no group of tasks.
            if let selectors = try await ask(attestors[0], caller) { found = selectors } else { failures = 1 }
        } else {
            try await withThrowingTaskGroup(of: [Selector]?.self) { group in
                for attestor in attestors {
                    group.addTask { try await self.ask(attestor, caller) }
                }
                for try await selectors in group {
                    if let selectors { found += selectors } else { failures += 1 }
                }
            }
        }
        if failures > 0 {
            guard failures < attestors.count else {
                logger.error("Workload attestation failed", metadata: [LogKey.pid: "\(peer.pid)"])
                throw Self.failed
            }
            logger.error("Failed to collect all selectors", metadata: [LogKey.pid: "\(peer.pid)"])
        }
        return try verified(found, peer)
    }

    /// Makes sure that what was found is about the process that called.
    private func verified(_ found: [Selector], _ peer: any UnixPeer) throws -> SelectorSet {
        guard peer.isAlive else {
            logger.error(
                "Workload attestation failed",
                metadata: [
                    LogKey.pid: "\(peer.pid)",
                    LogKey.error: "could not verify existence of the original caller: the process has ended",
                ])
            throw Self.failed
        }
        if logger.logLevel <= .debug, peer.pid != ownPID {
            let list = found.map { selector -> Logger.MetadataValue in
                .dictionary(["type": .string(selector.type), "value": .string(selector.value)])
            }
            logger.debug(
                "PID attested to have selectors", metadata: [LogKey.pid: "\(peer.pid)", LogKey.selectors: .array(list)])
        }
        return SelectorSet(found)
    }

    private func ask(_ attestor: any WorkloadAttestor, _ caller: WorkloadCaller) async throws -> [Selector]? {
        do {
            return try await (asked[attestor.name] ?? .off).measure(time) { try await attestor.attest(caller) }
                .map { Selector(type: attestor.name, value: $0) }
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error(
                "workload attestor failed",
                metadata: [
                    LogKey.pid: "\(caller.pid)", LogKey.error: "workload attestor \"\(attestor.name)\" failed: \(error)",
                ])
            return nil
        }
    }
}
