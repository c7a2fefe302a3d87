// SPDX-License-Identifier: Apache-2.0

import APIProtos
import NIOCore
import RPC
import SwiftProtobuf
import Synchronization

/// All simulated agents, and what is measured on them.
final class Fleet: Sendable {
    let options: ScaleOptions
    let agents: [SimulatedAgent]
    let administrator: Administrator
    let gauge: ServerGauge
    let clock = ContinuousClock()
    private let prefix: String
    private let state = Mutex(State())

    let attested = Latencies()
    let synchronized = Latencies()
    let received = Latencies()
    let signed = Latencies()
    let renewed = Latencies()

    private struct State {
        /// Entries on their way, by SPIFFE ID path: which agent is to get it, and since when.
        var pending: [String: (agent: Int, since: ContinuousClock.Instant)] = [:]
        var misdirected = 0
        var failures = 0
        var firstFailure = ""
    }

    init(_ parts: FleetParts, administrator: Administrator) {
        options = parts.options
        self.administrator = administrator
        gauge = ServerGauge(process: options.process, sqlLog: options.sqlLog)
        let prefix = String(UInt32.random(in: 0 ... .max), radix: 16)
        self.prefix = prefix
        agents = (0..<parts.options.agents).map { SimulatedAgent($0, token: "scale-\(prefix)-\($0)", parts) }
    }

    // MARK: Setting up

    func makeTokens() async throws {
        try await forEach(agents.count, width: options.width) { [self] in
            try await administrator.makeToken(agents[$0].token)
        }
    }

    func attest() async throws {
        try await forEach(agents.count, width: options.width) { [self] number in
            let start = clock.now
            try await agents[number].attest()
            attested.add(clock.now - start)
        }
    }

    func makeEntries() async throws {
        let all = agents.count * options.workloads
        let batches = (all + options.createBatch - 1) / options.createBatch
        for batch in 0..<batches {
            let range = batch * options.createBatch..<min(all, (batch + 1) * options.createBatch)
            try await administrator.create(
                range.map { number in
                    let agent = number / options.workloads
                    return administrator.entry(
                        id: "", path: "/scale/\(prefix)/\(agent)/workload-\(number % options.workloads)",
                        token: agents[agent].token, number: number)
                })
        }
    }

    /// Connects every agent with its identity, synchronises it and has all its entries signed.
    /// - Returns: how many certificates were signed.
    func start() async throws -> Int {
        let certificates = Mutex(0)
        try await forEach(agents.count, width: options.width) { [self] number in
            let start = clock.now
            let (entries, _) = try await agents[number].synchronize { _ in false }
            synchronized.add(clock.now - start)
            guard entries.count == options.workloads else {
                throw RPCStatus(.internal, "agent \(number) got \(entries.count) of \(options.workloads) entries")
            }
            let good = try await agents[number].sign(entries.map(\.id))
            guard good == entries.count else {
                throw RPCStatus(.internal, "agent \(number): \(good) of \(entries.count) certificates")
            }
            certificates.withLock { $0 += good }
        }
        return certificates.withLock { $0 }
    }

    // MARK: Following

    /// Follows changes on every agent until cancelled.
    func follow(_ follower: some EntryFollower) async {
        await withDiscardingTaskGroup { group in
            for agent in agents { group.addTask { await self.follow(agent, follower) } }
        }
    }

    private func follow(_ agent: SimulatedAgent, _ follower: some EntryFollower) async {
        var known: Set<String> = []
        if let (_, present) = try? await agent.synchronize(isKnown: { _ in true }) { known = present }
        while !Task.isCancelled {
            do {
                try await follower.follow(agent, &known) { await self.saw($0, agent) }
            } catch {
                // A server that spreads its clients, or a renewal of ours, ends connections now and then.
                if Task.isCancelled { return }
                note(error)
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func saw(_ entries: [Spire_Api_Types_Entry], _ agent: SimulatedAgent) async {
        let now = clock.now
        var own: [(id: String, since: ContinuousClock.Instant)] = []
        for entry in entries {
            let found = state.withLock { state -> ContinuousClock.Instant? in
                guard let wait = state.pending[entry.spiffeID.path] else { return nil }
                guard wait.agent == agent.number else {
                    state.misdirected += 1
                    return nil
                }
                state.pending[entry.spiffeID.path] = nil
                return wait.since
            }
            guard let found else { continue }
            received.add(now - found)
            own.append((entry.id, found))
        }
        guard !own.isEmpty else { return }
        do {
            let good = try await agent.sign(own.map(\.id))
            if good == own.count { for (_, since) in own { signed.add(clock.now - since) } }
        } catch {
            note(error)
        }
    }

    // MARK: Churn

    /// Creates entries for agents picked at random at the rate asked for, and deletes each some seconds later.
    func churn() async throws {
        let rate = options.churn
        let life = 3.0
        try await paced(rate: rate, seconds: options.seconds) { [self] number in
            let agent = Int.random(in: 0..<agents.count)
            let path = "/scale/\(prefix)/churn-\(number)"
            let id = "scale-\(prefix)-churn-\(number)"
            let entry = administrator.entry(id: id, path: path, token: agents[agent].token, number: number)
            do {
                state.withLock { $0.pending[path] = (agent, clock.now) }
                try await administrator.create([entry])
                try await Task.sleep(for: .seconds(options.mode == .poll ? life + options.pollInterval : life))
                try await administrator.delete(id)
            } catch {
                note(error)
            }
        }
    }

    func renewals() async throws {
        guard options.renewals > 0 else { return }
        let count = agents.count
        try await paced(rate: options.renewals, seconds: options.seconds) { [self] number in
            let start = clock.now
            do {
                try await agents[number % count].renew()
                renewed.add(clock.now - start)
            } catch {
                note(error)
            }
        }
    }

    private func note(_ error: any Error) {
        state.withLock { state in
            state.failures += 1
            if state.firstFailure.isEmpty { state.firstFailure = "\(error)" }
        }
    }

    /// Entries that never came, that came to the wrong agent, and calls that failed (with the first one's reason).
    var troubles: (lost: Int, misdirected: Int, failures: Int, first: String) {
        state.withLock { ($0.pending.count, $0.misdirected, $0.failures, $0.firstFailure) }
    }
}
