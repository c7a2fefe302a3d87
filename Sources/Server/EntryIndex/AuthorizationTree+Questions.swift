// SPDX-License-Identifier: Apache-2.0

/// The two questions: what an agent may obtain, and whom something in the tree concerns.
extension AuthorizationTree {
    /// Entries the agent may obtain, without aliases. An agent that is unknown, or expired at `now`, has no aliases.
    func authorized(agentID: String, now: Int64) -> [Int32] {
        vertex(ofID: agentID).map { authorized(at: $0, now: now) } ?? []
    }

    func authorized(at start: Int32, now: Int64) -> [Int32] {
        var starts = [start]
        for alias in aliases(of: vertices[start].agent, now: now) { starts.append(entries[alias].spiffeID) }
        return closure(below: starts, limit: .max) ?? []
    }

    /// Every entry below any of the vertices, each once; `nil` when there are more than `limit`.
    func closure(below starts: [Int32], limit: Int) -> [Int32]? {
        var found: [Int32] = []
        var visited: Set<Int32> = []
        var queue: [Int32] = []
        for start in starts where visited.insert(start).inserted { queue.append(start) }
        while let vertex = queue.popLast() {
            var entry = vertices[vertex].firstChild
            while entry >= 0 {
                if found.count >= limit { return nil }
                found.append(entry)
                let next = entries[entry].spiffeID
                // Leaves, which are most, need not be remembered.
                if vertices[next].firstChild >= 0, visited.insert(next).inserted { queue.append(next) }
                entry = entries[entry].siblings.next
            }
        }
        return found
    }

    /// The aliases that apply to an agent.
    func aliases(of agent: Int32, now: Int64) -> [Int32] {
        guard agent >= 0, agents[agent].expiresAt >= now else { return [] }
        let known = agents[agent].selectors
        var found: [Int32] = []
        for selector in known {
            aliases[selector]?.forEach { alias in
                if entries[alias].selectors.allSatisfy(known.hasSorted) { found.append(alias) }
            }
        }
        return found
    }

    /// The agents an alias applies to.
    func agents(under alias: Int32, now: Int64) -> [Int32] {
        var fewest: NumberSet?
        for selector in entries[alias].selectors {
            guard let set = agentsBySelector[selector] else { return [] }
            if fewest.map({ set.count < $0.count }) ?? true { fewest = set }
        }
        var found: [Int32] = []
        fewest?.forEach { agent in
            guard agents[agent].expiresAt >= now else { return }
            let known = agents[agent].selectors
            if entries[alias].selectors.allSatisfy(known.hasSorted) { found.append(agent) }
        }
        return found
    }

    /// The vertices whose answers contain what hangs below `start`: itself, those above it, and agents to whom an alias
    /// gives one of these.
    func reaching(_ start: Int32, now: Int64) -> [Int32] {
        var visited: Set<Int32> = [start]
        var queue: [Int32] = [start]
        var found: [Int32] = [start]
        var viaAlias: [Int32] = []
        while let vertex = queue.popLast() {
            var entry = vertices[vertex].firstTwin
            while entry >= 0 {
                if entries[entry].flags.contains(.alias) {
                    // An alias counts for the agent itself, not for those who reach the agent's path.
                    for agent in agents(under: entry, now: now) { viaAlias.append(agents[agent].vertex) }
                } else if visited.insert(entries[entry].parent).inserted {
                    queue.append(entries[entry].parent)
                    found.append(entries[entry].parent)
                }
                entry = entries[entry].twins.next
            }
        }
        for vertex in viaAlias where visited.insert(vertex).inserted { found.append(vertex) }
        return found
    }

    /// Whether the agent at `vertex` may obtain the entry: the same as asking `authorized`, from the entry's side.
    func isAuthorized(_ entry: Int32, at vertex: Int32, now: Int64) -> Bool {
        guard !entries[entry].flags.contains(.alias) else { return false }
        let agent = vertices[vertex].agent
        let known = agent >= 0 && agents[agent].expiresAt >= now ? agents[agent].selectors : []
        let start = entries[entry].parent
        var visited: Set<Int32> = [start]
        var queue: [Int32] = [start]
        while let place = queue.popLast() {
            if place == vertex { return true }
            var above = vertices[place].firstTwin
            while above >= 0 {
                if !entries[above].flags.contains(.alias) {
                    if visited.insert(entries[above].parent).inserted { queue.append(entries[above].parent) }
                } else if !known.isEmpty, entries[above].selectors.allSatisfy(known.hasSorted) {
                    return true
                }
                above = entries[above].twins.next
            }
        }
        return false
    }

    /// Those of `slots` the agent at `vertex` may obtain.
    func authorized(among slots: [Int32], at vertex: Int32, now: Int64) -> [Int32] {
        // Few are asked about one by one; many are looked for among all.
        if slots.count <= 32 { return slots.filter { isAuthorized($0, at: vertex, now: now) } }
        let wanted = Set(slots)
        return authorized(at: vertex, now: now).filter(wanted.contains)
    }

    /// The digest of entries, as the agent computes it of what it holds.
    func digest(of slots: [Int32]) -> SetDigest {
        var digest = SetDigest()
        for slot in slots {
            digest.add(
                entries[slot].key, revision: entries[slot].revisionNumber, createdAt: entries[slot].createdAt)
        }
        return digest
    }
}
