// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Who may obtain what: entries as edges from parent path to SPIFFE ID path, nodes with their selectors, and aliases
/// that name nodes by selectors. A value: a copy is a snapshot that later changes do not touch, and costs nothing.
struct AuthorizationTree: Sendable {
    /// A path that is a SPIFFE ID, a parent or an agent, or several of these.
    struct Vertex: Sendable {
        var path: String
        /// Entries and agents that refer to it.
        var uses: Int32 = 0
        var children: [Int32] = []
        var agent: Int32 = -1
    }

    struct Agent: Sendable {
        var vertex: Int32
        /// Unix seconds.
        var expiresAt: Int64
        /// Ascending.
        var selectors: [Int32]
    }

    /// `spiffe://<trust domain>`.
    let prefix: String
    private(set) var entries = Slots<PackedEntry>()
    private(set) var vertices = Slots<Vertex>()
    private(set) var agents = Slots<Agent>()
    private var entrySlots = ShardedMap<EntryKey, Int32>()
    private var vertexSlots = ShardedMap<String, Int32>()
    private var selectors = SelectorTable()
    /// Aliases by one of their selectors.
    private var aliases = ShardedMap<Int32, [Int32]>(shards: 64)

    private var lastParent: (id: String, path: String?) = ("", nil)

    static let aliasParent = "/spire/server"

    init(trustDomain: String) { prefix = "spiffe://" + trustDomain }

    var entryCount: Int { entries.count }
    var agentCount: Int { agents.count }

    // MARK: Questions

    /// Entries the agent may obtain, without aliases. An agent that is unknown, or expired at `now`, has no aliases.
    func authorized(agentID: String, now: Int64) -> [Int32] {
        guard let path = path(of: agentID), let start = vertexSlots[path] else { return [] }
        var found: [Int32] = []
        var visited: Set<Int32> = [start]
        var queue: [Int32] = [start]
        for alias in aliases(of: start, now: now) where visited.insert(entries[alias].spiffeID).inserted {
            queue.append(entries[alias].spiffeID)
        }
        while let vertex = queue.popLast() {
            for entry in vertices[vertex].children {
                found.append(entry)
                let next = entries[entry].spiffeID
                // Leaves, which are most, need not be remembered.
                if !vertices[next].children.isEmpty, visited.insert(next).inserted { queue.append(next) }
            }
        }
        return found
    }

    private func aliases(of vertex: Int32, now: Int64) -> [Int32] {
        let slot = vertices[vertex].agent
        guard slot >= 0, agents[slot].expiresAt >= now else { return [] }
        let known = Set(agents[slot].selectors)
        var found: [Int32] = []
        for selector in known {
            guard let filed = aliases[selector] else { continue }
            for alias in filed where entries[alias].selectors.allSatisfy(known.contains) { found.append(alias) }
        }
        return found
    }

    func slot(ofEntry id: String) -> Int32? { entrySlots[EntryKey(id)] }

    /// Writes entries out in full. Siblings share their parent's text.
    func unpacked(_ slots: [Int32]) -> [RegistrationEntry] {
        var parent: Int32 = -1
        var parentID = ""
        return slots.map { slot in
            let packed = entries[slot]
            if packed.parent != parent {
                parent = packed.parent
                parentID = prefix + vertices[parent].path
            }
            var entry = RegistrationEntry()
            entry.id = packed.key.text
            entry.spiffeID = prefix + vertices[packed.spiffeID].path
            entry.parentID = parentID
            entry.selectors = packed.selectors.map { selectors.selector($0) }
            entry.x509SVIDTTL = packed.x509SVIDTTL
            entry.jwtSVIDTTL = packed.jwtSVIDTTL
            entry.admin = packed.flags.contains(.admin)
            entry.downstream = packed.flags.contains(.downstream)
            entry.storeSVID = packed.flags.contains(.storeSVID)
            entry.expiresAt = packed.expiresAt
            entry.revisionNumber = packed.revisionNumber
            entry.createdAt = packed.createdAt
            if let rest = packed.rest {
                entry.federatesWith = rest.federatesWith
                entry.dnsNames = rest.dnsNames
                entry.hint = rest.hint
                entry.additionalAttributes = rest.attributes
            }
            return entry
        }
    }

    // MARK: Changes

    /// Adds the entry or replaces the one with its id. Entries outside the trust domain are left out.
    mutating func set(_ entry: RegistrationEntry) {
        let key = EntryKey(entry.id)
        remove(key)
        guard let spiffeID = path(of: entry.spiffeID), let parent = parentPath(of: entry.parentID) else { return }
        var packed = PackedEntry()
        packed.key = key
        packed.spiffeID = acquireVertex(spiffeID)
        packed.parent = acquireVertex(parent)
        packed.x509SVIDTTL = entry.x509SVIDTTL
        packed.jwtSVIDTTL = entry.jwtSVIDTTL
        if entry.admin { packed.flags.insert(.admin) }
        if entry.downstream { packed.flags.insert(.downstream) }
        if entry.storeSVID { packed.flags.insert(.storeSVID) }
        packed.expiresAt = entry.expiresAt
        packed.revisionNumber = entry.revisionNumber
        packed.createdAt = entry.createdAt
        packed.selectors = entry.selectors.map { selectors.acquire($0) }
        packed.rest = PackedEntry.Rest(entry)
        let isAlias = parent == Self.aliasParent
        if isAlias { packed.flags.insert(.alias) }
        let slot = entries.add(packed)
        entrySlots[packed.key] = slot
        if isAlias {
            // Filed under the selector that has fewest aliases yet, so that no list grows long.
            let anchor = packed.selectors.min { (aliases[$0]?.count ?? 0) < (aliases[$1]?.count ?? 0) }
            guard let anchor else { return }
            entries[slot].place = anchor
            aliases[anchor, default: []].append(slot)
        } else {
            entries[slot].place = Int32(vertices[packed.parent].children.count)
            vertices[packed.parent].children.append(slot)
        }
    }

    mutating func removeEntry(id: String) { remove(EntryKey(id)) }

    private mutating func remove(_ key: EntryKey) {
        guard let slot = entrySlots[key] else { return }
        let packed = entries[slot]
        if packed.flags.contains(.alias) {
            aliases[packed.place, default: []].removeAll { $0 == slot }
            if aliases[packed.place]?.isEmpty == true { aliases[packed.place] = nil }
        } else if let last = vertices[packed.parent].children.popLast(), last != slot {
            vertices[packed.parent].children[Int(packed.place)] = last
            entries[last].place = packed.place
        }
        entrySlots[key] = nil
        entries.remove(slot, empty: PackedEntry())
        releaseVertex(packed.spiffeID)
        releaseVertex(packed.parent)
        for selector in packed.selectors { selectors.release(selector) }
    }

    mutating func setAgent(id: String, expiresAt: Int64, selectors list: [Selector]) {
        removeAgent(id: id)
        guard let path = path(of: id) else { return }
        let vertex = acquireVertex(path)
        let numbers = Set(list).map { selectors.acquire($0) }.sorted()
        vertices[vertex].agent = agents.add(Agent(vertex: vertex, expiresAt: expiresAt, selectors: numbers))
    }

    mutating func removeAgent(id: String) {
        guard let path = path(of: id), let vertex = vertexSlots[path], vertices[vertex].agent >= 0 else { return }
        let slot = vertices[vertex].agent
        for selector in agents[slot].selectors { selectors.release(selector) }
        agents.remove(slot, empty: Agent(vertex: -1, expiresAt: 0, selectors: []))
        vertices[vertex].agent = -1
        releaseVertex(vertex)
    }

    mutating func removeAgents(expiredBefore now: Int64) {
        for slot in agents.slots where agents[slot].vertex >= 0 && agents[slot].expiresAt < now {
            removeAgent(id: prefix + vertices[agents[slot].vertex].path)
        }
    }

    // MARK: Vertices

    private mutating func acquireVertex(_ path: String) -> Int32 {
        if let known = vertexSlots[path] {
            vertices[known].uses += 1
            return known
        }
        let slot = vertices.add(Vertex(path: path, uses: 1))
        vertexSlots[path] = slot
        return slot
    }

    private mutating func releaseVertex(_ slot: Int32) {
        vertices[slot].uses -= 1
        guard vertices[slot].uses == 0 else { return }
        vertexSlots[vertices[slot].path] = nil
        vertices.remove(slot, empty: Vertex(path: ""))
    }

    /// Siblings come one after another, often with one copy of their parent's text.
    private mutating func parentPath(of id: String) -> String? {
        if id == lastParent.id { return lastParent.path }
        let path = path(of: id)
        lastParent = (id, path)
        return path
    }

    /// The path of an ID of this trust domain; `nil` for another's and for what is no SPIFFE ID.
    ///
    /// > Spec: SPIFFE-ID §2.2.
    private func path(of id: String) -> String? {
        guard id.hasPrefix(prefix) else { return nil }
        let path = id.utf8.dropFirst(prefix.utf8.count)
        if path.isEmpty { return "" }
        guard path.first == UInt8(ascii: "/"), path.last != UInt8(ascii: "/") else { return nil }
        var length = 0
        var dots = 0
        for byte in path.dropFirst() {
            switch byte {
            case UInt8(ascii: "/"):
                if length == 0 || (dots == length && length <= 2) { return nil }
                length = 0
                dots = 0
                continue
            case UInt8(ascii: "."): dots += 1
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                break
            default: return nil
            }
            length += 1
        }
        if dots == length && length <= 2 { return nil }
        return String(Substring(path))
    }
}
