// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Logging
import RPC
import SPIFFE
import Synchronization
import Telemetry

extension IdentityKeeper {
    /// Stores what enrolment brought, reports in, and synchronises once, trying until patience ends.
    ///
    /// - Throws: `agent.banned`, `agent.not_attested`, `agent.must_rebootstrap`, or the last attempt's error.
    package func initialize() async throws {
        let svid = agentSVID
        let bundle = authorities
        try await storage.update {
            $0.svid = svid.chain
            $0.isReattestable = svid.isReattestable
            $0.bundle = bundle
        }
        do {
            try await server.postStatus(version: settings.version, timeout: Self.callTimeout)
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.debug("Failed to post agent status to the server", metadata: [LogKey.error: "\(error)"])
        }
        var budget = RetryBudget(limit: settings.rebootstrap.patience, now: clocks.time.uptime)
        while true {
            do {
                try await synchronize()
                try await noteTrust()
                return
            } catch let error as CancellationError {
                throw error
            } catch {
                let verdict = self.verdict(on: error)
                if verdict != .goOn { throw try await forgetIdentity(LifeError(verdict: verdict, underlying: error)) }
                if (error as? SpireError)?.isUnknownAuthority == true, settings.rebootstrap.mode != .never {
                    try await distrust(error)
                }
                guard let wait = budget.next(now: clocks.time.uptime, random: clocks.random) else { throw error }
                logger.warning(
                    "Failed to initialize manager",
                    metadata: [LogKey.error: "\(error)", LogKey.retryInterval: "\(GoDuration.text(wait))"])
                try await clocks.time.sleep(for: wait)
            }
        }
    }

    /// The loop that asks for changes and signs what is missing.
    func keepInStep() async throws {
        var schedule = SyncSchedule(
            interval: settings.syncInterval, now: clocks.time.uptime, random: clocks.random)
        while true {
            try Task.checkCancellation()
            if signingWanted.take() { schedule.signingWanted() }
            let (isLive, soon) = state.withLock { ($0.push.isLive, $0.push.takeDoubt()) }
            schedule.pushed(isLive, soon: soon, now: clocks.time.uptime, random: AnyRandom(clocks.random))
            switch schedule.turn(now: clocks.time.uptime) {
            case .synchronize:
                let succeeded = try await synchronizeOnce()
                schedule.synchronized(
                    now: clocks.time.uptime, succeeded: succeeded, cachedSVIDs: counts.x509, random: clocks.random)
                dropIdleFeeds()
            case .renew:
                let succeeded = try await signDue()
                schedule.renewed(now: clocks.time.uptime, succeeded: succeeded, random: AnyRandom(clocks.random))
                dropIdleFeeds()
            case .sign:
                let succeeded = try await signAwaited()
                schedule.signed(now: clocks.time.uptime, succeeded: succeeded, random: clocks.random)
            case .wait(let duration):
                if try await signingWanted.wait(atMost: duration, on: clocks.time) { schedule.signingWanted() }
            }
        }
    }

    private func dropIdleFeeds() {
        let idle = clocks.time.uptime - settings.syncInterval
        state.withLock { $0.cache.dropIdleFeeds(since: idle) }
    }

    private func synchronizeOnce() async throws -> Bool {
        do {
            try await synchronize()
            try await noteTrust()
            return true
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error("Synchronize failed", metadata: [LogKey.error: "\(error)"])
            let verdict = self.verdict(on: error)
            if verdict != .goOn { throw LifeError(verdict: verdict, underlying: error) }
            if (error as? SpireError)?.isUnknownAuthority == true { try await distrust(error) }
            return false
        }
    }

    /// Signs what somebody waits for and what has just come.
    private func signAwaited() async throws -> Bool {
        try await signing {
            let (fresh, renewals) = state.withLock { state in
                let awaited = state.cache.awaited()
                let known = Set(awaited.map(\.entry.id))
                let fresh = state.push.fresh
                return (fresh, awaited + state.cache.renewals(of: fresh).filter { !known.contains($0.entry.id) })
            }
            try await sign(renewals)
            return state.withLock { state in
                // A server that has not heard of an entry yet refuses that one: it is tried again soon.
                let left = Set(state.cache.renewals(of: fresh).map(\.entry.id))
                state.push.fresh.subtract(fresh.subtracting(left))
                return left.isEmpty
            }
        }
    }

    /// Signs everything that is due, while changes come by themselves.
    private func signDue() async throws -> Bool {
        let now = clocks.time.now
        let random = clocks.random
        let plan = state.withLock { state in
            state.push.fresh.removeAll()
            state.lastSync = now
            return state.cache.planSigning(now: now, random: AnyRandom(random))
        }
        meters.planned(plan)
        return try await signing {
            try await sign(plan)
            return true
        }
    }

    private func signing(_ body: () async throws -> Bool) async throws -> Bool {
        do {
            return try await body()
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error("Failed to sign awaited SVIDs", metadata: [LogKey.error: "\(error)"])
            let verdict = self.verdict(on: error)
            if verdict != .goOn { throw LifeError(verdict: verdict, underlying: error) }
            return false
        }
    }

    /// The server showed a certificate the bundle does not vouch for, while the agent runs.
    private func distrust(_ error: any Error) async throws {
        let now = clocks.time.now
        switch settings.rebootstrap.step(since: storage.data.bootstrapStart, now: now) {
        case .fail:
            throw SpireError(.serverUntrusted, "failed to sync with SPIRE Server: \(error)")
        case .ignore(let left):
            try await storage.update { if $0.bootstrapStart == nil { $0.bootstrapStart = now } }
            logger.warning(
                "Trust Bundle and Server don't agree, ignoring for now",
                metadata: ["time_left": "\(GoDuration.text(left))"])
        case .startOver:
            try await storage.update {
                $0.svid = []
                $0.isReattestable = false
                $0.bundle = []
                $0.bootstrapUse = .rebootstrap
            }
            logger.warning("Agent needs to rebootstrap. shutting down")
            throw SpireError(.mustRebootstrap, "Agent needs to rebootstrap. shutting down")
        }
    }

    func noteTrust() async throws {
        if storage.data.bootstrapStart != nil { try await storage.update { $0.bootstrapStart = nil } }
    }

    /// Asks for every change and signs what became due.
    package func synchronize() async throws {
        try await tracer.trace("agent.synchronize", beginsTrace: true) { try await fetchAndSign() }
        meters.sizes(counts)
    }

    private func fetchAndSign() async throws {
        let generation = state.withLock { $0.push.generation }
        let (outcome, bundles) = try await meters.entriesFetched.measure(clocks.time) { try await fetchUpdates() }
        // What came by itself meanwhile is newer.
        guard let plan = try await apply(outcome, bundles, unlessAfter: generation) else { return }
        if plan.isEmpty {
            try await sign(plan)
        } else {
            try await meters.svidsFetched.measure(clocks.time) { try await sign(plan) }
        }
        let now = clocks.time.now
        state.withLock { $0.lastSync = now }
    }

    private func fetchUpdates() async throws -> (EntrySync.Outcome, [TrustDomain: TrustBundle]) {
        let deadline = clocks.time.uptime + Self.callTimeout
        let outcome: EntrySync.Outcome
        do {
            outcome = try await server.synchronizeEntries(timeout: Self.callTimeout) { revisions in
                state.withLock { state in revisions.filter { !state.cache.holds($0) }.map(\.id) }
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            logger.error("Failed to fetch authorized entries", metadata: [LogKey.error: "\(error)"])
            throw Self.wrapped(error, "failed to fetch authorized entries")
        }
        let bundles: [TrustDomain: TrustBundle]
        do {
            bundles = try await fetchBundles(
                state.withLock { $0.cache.federatedDomains(after: outcome) }, until: deadline)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw Self.wrapped(error, "failed to fetch bundles")
        }
        return (outcome, bundles)
    }

    private func fetchBundles(
        _ federated: [TrustDomain], until deadline: Duration
    ) async throws -> [TrustDomain: TrustBundle] {
        let own = try await server.bundle(timeout: remaining(deadline))
        guard own.trustDomain == settings.trustDomain else {
            throw SpireError(.serverAnswer, "the server sent the bundle of another trust domain")
        }
        var bundles = [own.trustDomain: own]
        try await withThrowingTaskGroup(of: (TrustDomain, TrustBundle?).self) { group in
            var waiting = federated.makeIterator()
            func start() {
                guard let domain = waiting.next() else { return }
                let timeout = remaining(deadline)
                group.addTask {
                    (domain, try await self.server.federatedBundle(domain, timeout: timeout))
                }
            }
            for _ in 0..<10 { start() }
            while let (domain, bundle) = try await group.next() {
                if let bundle {
                    bundles[domain] = bundle
                } else {
                    logger.warning(
                        "Federated bundle not found on server", metadata: [LogKey.trustDomain: "\(domain)"])
                }
                start()
            }
        }
        return bundles
    }

    private func remaining(_ deadline: Duration) -> Duration {
        max(.milliseconds(1), deadline - clocks.time.uptime)
    }

    private func apply(
        _ outcome: EntrySync.Outcome, _ bundles: [TrustDomain: TrustBundle], unlessAfter generation: UInt64
    ) async throws -> [SVIDCache.Renewal]? {
        let now = clocks.time.now
        let random = clocks.random
        let applied = state.withLock { state -> (Set<TrustDomain>, SVIDCache.EntryChanges, [SVIDCache.Renewal])? in
            guard state.push.generation == generation else { return nil }
            let changedBundles = state.cache.replaceBundles(bundles)
            let changes = state.cache.apply(outcome)
            // What is held now is no stream's.
            state.push.position = nil
            let plan = state.cache.planSigning(now: now, random: AnyRandom(random))
            state.cache.publish()
            return (changedBundles, changes, plan)
        }
        guard let (changedBundles, changes, plan) = applied else { return nil }
        log(changes)
        meters.planned(plan)
        meters.synchronized(changes, bundles: bundles.count, entries: counts.entries)
        if changedBundles.contains(settings.trustDomain), let own = bundles[settings.trustDomain] {
            try await use(own)
        }
        processTaints()
        return plan
    }

    /// Verifies the server and workloads with a new bundle of the own trust domain, and remembers it over a restart.
    func use(_ own: TrustBundle) async throws {
        credentials.replace(own)
        ownBundle.set(own)
        let authorities = own.x509Authorities.map(\.der)
        try await storage.update { $0.bundle = authorities }
    }

    func log(_ changes: SVIDCache.EntryChanges) {
        guard logger.logLevel <= .debug else { return }
        let kinds = [
            ("Entry created", changes.added), ("Entry updated", changes.updated), ("Entry removed", changes.removed),
        ]
        for (message, entries) in kinds {
            for entry in entries {
                logger.debug(
                    "\(message)",
                    metadata: ["entry": "\(entry.id)", LogKey.spiffeID: "\(entry.spiffeID)"])
            }
        }
    }

    /// The same error with what was being done put before its text; a status keeps its code and details.
    static func wrapped(_ error: any Error, _ action: String) -> any Error {
        if let error = error as? SpireError { return error.while(action) }
        return SpireError(.serverCall, "\(action): \(error)", cause: error)
    }
}

/// Gives a stored source of randomness to generic code.
struct AnyRandom: RandomSource {
    let source: any RandomSource
    init(_ source: any RandomSource) { self.source = source }
    func next() -> UInt64 { source.next() }
}
