// SPDX-License-Identifier: Apache-2.0

import APIProtos
import AgentCore
import NIOCore
import RPC
import SPIFFE
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
    let removed = Latencies()
    let renewed = Latencies()

    private struct State {
        /// Entries on their way, by SPIFFE ID path: which agent is to get it, and since when.
        var pending: [String: (agent: Int, since: ContinuousClock.Instant)] = [:]
        /// Entries being deleted, by ID, and since when.
        var leaving: [String: ContinuousClock.Instant] = [:]
        /// Agents by number.
        var following: Set<Int> = []
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
            _ = try await agents[number].synchronize()
            synchronized.add(clock.now - start)
            let ids = agents[number].entryIDs
            guard ids.count == options.workloads else {
                throw RPCStatus(.internal, "agent \(number) got \(ids.count) of \(options.workloads) entries")
            }
            let good = try await agents[number].sign(ids)
            guard good == ids.count else {
                throw RPCStatus(.internal, "agent \(number): \(good) of \(ids.count) certificates")
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

    /// Waits until every agent follows.
    /// - Throws: when some do not for two minutes.
    func waitForFollowers() async throws {
        let end = clock.now + .seconds(120)
        while true {
            let count = state.withLock { $0.following.count }
            if count == agents.count { return }
            guard clock.now < end else {
                throw RPCStatus(.deadlineExceeded, "only \(count) of \(agents.count) agents follow: \(troubles.first)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func follow(_ agent: SimulatedAgent, _ follower: some EntryFollower) async {
        while !Task.isCancelled {
            let before = agent.renewals
            do {
                try await follower.follow(agent, isFollowing: { self.nowFollows(agent) }) { await self.saw($0, agent) }
            } catch {
                if Task.isCancelled { return }
                // Its renewal ends an agent's connection; it goes on with the next at once.
                if agent.renewals != before { continue }
                note(error)
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func nowFollows(_ agent: SimulatedAgent) { state.withLock { _ = $0.following.insert(agent.number) } }

    private func saw(_ news: EntryNews, _ agent: SimulatedAgent) async {
        let now = clock.now
        for id in news.gone {
            guard let wait = state.withLock({ $0.leaving.removeValue(forKey: id) }) else { continue }
            removed.add(now - wait)
        }
        var own: [(id: String, since: ContinuousClock.Instant)] = []
        for entry in news.new {
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
            if good == own.count {
                for (_, since) in own { signed.add(clock.now - since) }
            } else {
                note(RPCStatus(.internal, "\(good) of \(own.count) certificates"))
            }
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
                state.withLock { $0.leaving[id] = clock.now }
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

    /// Entries that never came or never went, that came to the wrong agent, and calls that failed (with the first one's
    /// reason).
    var troubles: (lost: Int, misdirected: Int, failures: Int, first: String) {
        state.withLock { ($0.pending.count + $0.leaving.count, $0.misdirected, $0.failures, $0.firstFailure) }
    }

    /// Streams opened by all agents, and how many changes were everything anew.
    var streams: (opened: Int, completeChanges: Int) {
        agents.reduce(into: (0, 0)) { sum, agent in
            let one = agent.streams
            sum = (sum.0 + one.opened, sum.1 + one.completeChanges)
        }
    }
}
