// SPDX-License-Identifier: Apache-2.0

import Datastore

/// An agent as an explanation sees it.
struct ExplainedAgent: Sendable {
    enum State: Sendable, Hashable { case active, unknown, expired, banned }
    var id: String
    var state: State
    /// Unix seconds.
    var expiresAt: Int64 = 0
    var selectors: Set<Selector> = []

    /// - Parameter now: Unix seconds.
    static func state(_ node: AttestedNode, now: Int64) -> State {
        if node.serialNumber.isEmpty { return .banned }
        return node.expiresAt < now ? .expired : .active
    }
}

/// One step from an entry up to an agent, or the reason why it is the last.
struct ParentStep: Sendable, Hashable {
    enum Outcome: Sendable, Hashable {
        case agent, entry, alias
        case noSuchParent, otherAgent, aliasLacksSelectors, agentExpired, agentBanned, agentUnknown, cycle, tooLong
        case isAlias
    }
    var depth: Int
    var id: String
    var outcome: Outcome
    var entryID = ""
    var missing: [Selector] = []
}

/// What became of the search from one parent.
struct ParentVerdict: Sendable, Hashable {
    var reaches: Bool
    /// The way to the agent; without one, how each way ends, with the steps that led there left out.
    var steps: [ParentStep]
}

/// Looks from a parent ID upwards for an agent, as the authorization of agents looks from the agent downwards.
struct ParentSearch {
    typealias Reader = EntryReader & NodeReader

    /// Entries looked at in one explanation before it gives up.
    static let budget = 20_000
    static let longestWay = 64
    private static let mostEnds = 32

    let store: any Reader
    /// `spiffe://<trust domain>`.
    let domain: String
    /// The one to be reached; `nil`: any that is active, or an alias.
    let agent: ExplainedAgent?
    /// Unix seconds.
    let now: Int64
    private(set) var isExhausted = false
    private var visitedEntries = 0
    private var verdicts: [String: ParentVerdict] = [:]
    private var entriesBySPIFFEID: [String: [RegistrationEntry]] = [:]

    init(store: any Reader, domain: String, agent: ExplainedAgent?, now: Int64) {
        self.store = store
        self.domain = domain
        self.agent = agent
        self.now = now
    }

    private var serverID: String { domain + "/spire/server" }
    private var agentPrefix: String { domain + "/spire/agent/" }

    mutating func verdict(onParent parent: String) async throws -> ParentVerdict {
        if let known = verdicts[parent] { return known }
        let verdict = try await search(from: parent)
        verdicts[parent] = verdict
        return verdict
    }

    private struct Way {
        var id: String
        var steps: [ParentStep] = []
    }

    private mutating func search(from parent: String) async throws -> ParentVerdict {
        if parent == serverID {
            return ParentVerdict(reaches: false, steps: [ParentStep(depth: 1, id: parent, outcome: .isAlias)])
        }
        var ends: [ParentStep] = []
        var visited: Set<String> = [parent]
        var queue = [Way(id: parent)]
        var next = 0
        while next < queue.count {
            let way = queue[next]
            next += 1
            let depth = way.steps.count + 1
            if way.id == agent?.id || way.id.hasPrefix(agentPrefix) {
                let step = ParentStep(depth: depth, id: way.id, outcome: try await agentOutcome(way.id))
                if step.outcome == .agent { return ParentVerdict(reaches: true, steps: way.steps + [step]) }
                ends.append(step)
                continue
            }
            let entries = try await entries(withSPIFFEID: way.id)
            if entries.isEmpty { ends.append(ParentStep(depth: depth, id: way.id, outcome: .noSuchParent)) }
            for entry in entries {
                var step = ParentStep(depth: depth, id: way.id, outcome: .entry, entryID: entry.id)
                if entry.parentID == serverID {
                    if let agent {
                        step.missing = entry.selectors.filter { !agent.selectors.contains($0) }
                        step.outcome = step.missing.isEmpty ? .alias : .aliasLacksSelectors
                        if step.outcome == .alias, agent.state != .active { step.outcome = Self.outcome(agent.state) }
                    } else {
                        step.outcome = .alias
                    }
                    if step.outcome == .alias { return ParentVerdict(reaches: true, steps: way.steps + [step]) }
                    ends.append(step)
                } else if visited.insert(entry.parentID).inserted {
                    guard depth < Self.longestWay, !isExhausted else {
                        step.outcome = .tooLong
                        ends.append(step)
                        continue
                    }
                    queue.append(Way(id: entry.parentID, steps: way.steps + [step]))
                } else if entry.parentID == way.id || way.steps.contains(where: { $0.id == entry.parentID }) {
                    step.outcome = .cycle
                    ends.append(step)
                }
            }
        }
        return ParentVerdict(reaches: false, steps: Array(ends.prefix(Self.mostEnds)))
    }

    private func agentOutcome(_ id: String) async throws -> ParentStep.Outcome {
        if let agent { return agent.id == id ? Self.outcome(agent.state) : .otherAgent }
        guard let node = try await store.node(id: id) else { return .agentUnknown }
        return Self.outcome(ExplainedAgent.state(node, now: now))
    }

    private static func outcome(_ state: ExplainedAgent.State) -> ParentStep.Outcome {
        switch state {
        case .active: .agent
        case .unknown: .agentUnknown
        case .expired: .agentExpired
        case .banned: .agentBanned
        }
    }

    private mutating func entries(withSPIFFEID id: String) async throws -> [RegistrationEntry] {
        if let known = entriesBySPIFFEID[id] { return known }
        var filter = EntryFilter()
        filter.spiffeID = id
        let found = try await store.listEntries(filter, page: PageRequest(size: 1000)).items
        visitedEntries += max(found.count, 1)
        if visitedEntries > Self.budget { isExhausted = true }
        entriesBySPIFFEID[id] = found
        return found
    }
}
