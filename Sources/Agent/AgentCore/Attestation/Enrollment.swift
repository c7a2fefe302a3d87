// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Groundwork
import Issuance
import Logging
package import PluginAPI
import RPC
import SPIFFE
import Telemetry

/// How an agent gets its identity at start: the stored one when it still serves, else by node attestation, tried again
/// until patience ends.
package struct Enrollment: Sendable {
    package let client: NodeAttestationClient
    package let source: TrustBundleSource
    package let rebootstrap: Rebootstrap
    package let storage: AgentStorage
    package let keys: any KeyManager
    package let attestor: any AgentNodeAttestor
    package let lane: BlockingLane
    private let meters: BootstrapMeters
    private let logger: Logger

    private var clocks: Clocks { client.clocks }

    package init(
        client: NodeAttestationClient, source: TrustBundleSource, rebootstrap: Rebootstrap, storage: AgentStorage,
        keys: any KeyManager, attestor: any AgentNodeAttestor, lane: BlockingLane,
        meters: BootstrapMeters = .off
    ) {
        self.meters = meters
        self.client = client
        self.source = source
        self.rebootstrap = rebootstrap
        self.storage = storage
        self.keys = keys
        self.attestor = attestor
        self.lane = lane
        logger = client.logger
    }

    /// What an agent starts with.
    package struct Result: Sendable {
        package let svid: AgentSVID
        /// X.509 authorities at least.
        package let bundle: TrustBundle
        /// Whether node attestation took place.
        package let isNew: Bool
    }

    /// Returns the agent's identity.
    /// - Throws: the last attempt's error once patience has ended; at once when the server denies permission.
    package func run() async throws -> Result {
        var rule = rebootstrap
        if !storage.data.svid.isEmpty {
            let (checked, warning) = try rule.checked(canReattest: storage.data.isReattestable)
            if let warning { logger.warning("\(warning)") }
            rule = checked
        }
        var budget = RetryBudget(limit: rule.patience, now: clocks.time.uptime)
        while true {
            do {
                let result = try await attempt()
                meters.enrolled()
                try await storage.update {
                    $0.bootstrapUse = .rebootstrap
                    $0.bootstrapStart = nil
                    $0.connectionAttempts = 0
                }
                return result
            } catch let error as CancellationError {
                throw error
            } catch {
                if (error as? RPCStatus)?.code == .permissionDenied { throw error }
                if (error as? SpireError)?.isUnknownAuthority == true { try await reconsiderBundle(rule) }
                guard let wait = budget.next(now: clocks.time.uptime, random: clocks.random) else { throw error }
                logger.warning(
                    "Failed to retrieve attestation result",
                    metadata: [LogKey.error: "\(error)", LogKey.retryInterval: "\(GoDuration.text(wait))"])
                try await clocks.time.sleep(for: wait)
            }
        }
    }

    /// Attests anew for a running agent, with a key in the other slot.
    package func reattest(replacing current: AgentSVID, authorities: [[UInt8]]) async throws -> AgentSVID {
        let key = try await keys.generateKey(id: KeySlot.next(after: current.key.id).rawValue, type: .ecP256)
        return try await meters.attestation(attestor.name).measure(clocks.time) {
            try await client.attest(with: attestor, key: key, authorities: authorities).svid
        }
    }

    private func attempt() async throws -> Result {
        let data = storage.data
        if data.bundle.isEmpty {
            logger.info("Bundle is not found")
        } else {
            logger.info("Bundle loaded", metadata: [LogKey.trustDomain: "\(client.place.trustDomain)"])
        }
        let held = try await keys.keys()
        let leaf = try data.svid.first.map { try CertificateSummary($0) }
        let decision = SVIDDecision.decide(
            leaf: leaf.map { ($0.spki, $0.validUntil) }, keys: held.map { ($0.id, $0.publicKey.spki) },
            now: clocks.time.now)
        switch decision {
        case .reuse(let keyID):
            guard let key = held.first(where: { $0.id == keyID }), !data.bundle.isEmpty else {
                throw SpireError(.attestation, "SVID loaded but no bundle in cache")
            }
            let svid = try AgentSVID(chain: data.svid, key: key, isReattestable: data.isReattestable)
            logger.info("SVID loaded", metadata: [LogKey.spiffeID: "\(svid.id)"])
            let bundle = TrustBundle(
                trustDomain: client.place.trustDomain, x509Authorities: data.bundle.map { .init(der: $0) })
            return Result(svid: svid, bundle: bundle, isNew: false)
        case .attest(let reason):
            logger.log(level: reason.isWarning ? .warning : .debug, "\(reason.rawValue)")
            logger.info("SVID is not found. Starting node attestation")
            let authorities = data.bundle.isEmpty ? try await bootstrapBundle() : data.bundle
            let current = leaf.flatMap { leaf in held.first { $0.publicKey.spki == leaf.spki }?.id }
            let key = try await keys.generateKey(id: KeySlot.next(after: current).rawValue, type: .ecP256)
            let (svid, bundle) = try await meters.attestation(attestor.name).measure(clocks.time) {
                try await client.attest(with: attestor, key: key, authorities: authorities)
            }
            logger.info(
                "Node attestation was successful",
                metadata: ["reattestable": "\(svid.isReattestable)", LogKey.spiffeID: "\(svid.id)"])
            return Result(svid: svid, bundle: bundle, isNew: true)
        }
    }

    private func bootstrapBundle() async throws -> [[UInt8]]? {
        let now = clocks.time.now
        try await storage.update {
            if $0.bootstrapUse == .unspecified { $0.bootstrapUse = .bootstrap }
            if $0.bootstrapStart == nil { $0.bootstrapStart = now }
            $0.connectionAttempts += 1
        }
        let data = storage.data
        meters.attempted(
            data.bootstrapUse, attempts: data.connectionAttempts, since: data.bootstrapStart, now: now)
        let attempt = TrustBundleSource.Attempt(
            use: data.bootstrapUse, start: data.bootstrapStart ?? now, count: data.connectionAttempts,
            serverAddress: client.place.host, serverPort: client.place.port, trustDomain: client.place.trustDomain)
        return try await source.load(attempt, group: client.group, lane: lane)
    }

    /// The stored bundle does not vouch for the server: perhaps it is out of date for good.
    private func reconsiderBundle(_ rule: Rebootstrap) async throws {
        guard !storage.data.bundle.isEmpty else { return }
        let now = clocks.time.now
        switch rule.step(since: storage.data.bootstrapStart, now: now) {
        case .fail:
            break
        case .ignore(let left):
            try await storage.update { if $0.bootstrapStart == nil { $0.bootstrapStart = now } }
            logger.warning(
                "Trust Bundle and Server don't agree, ignoring for now",
                metadata: ["time_left": "\(GoDuration.text(left))"])
        case .startOver:
            try await storage.update {
                $0.bundle = []
                $0.bootstrapUse = .rebootstrap
            }
        }
    }
}
