// SPDX-License-Identifier: Apache-2.0

/// Collects, while a tree is changed, which agents have to look at which entries again.
///
/// Every agent whose answer the changes alter is named with every entry that altered it, as it was before and as it is
/// after; it may be named with entries that turn out to be as they were.
struct Concern {
    /// Agents and what each of them has to look at.
    struct Group {
        /// Paths; some are no agents.
        let paths: [String]
        var keys: [EntryKey] = []
        /// More than can be named.
        var isEverything = false
    }

    private(set) var groups: [Group] = []
    /// Unix seconds.
    let now: Int64
    private let isWanted: Bool
    /// Groups by the vertex that all of their entries hang below, as long as who reaches it has not changed.
    private var below: [Int32: Int] = [:]

    /// Entries named in one group at most.
    static let limit = 4096

    /// - Parameter isWanted: Whether anybody will ask; else nothing is collected.
    init(isWanted: Bool, now: Int64) {
        self.isWanted = isWanted
        self.now = now
    }

    static func ignored(now: Int64 = 0) -> Concern { Concern(isWanted: false, now: now) }

    var isEmpty: Bool { groups.isEmpty }

    /// The content of an entry changed, not its place.
    mutating func changed(_ key: EntryKey, under parent: Int32, _ tree: AuthorizationTree) {
        guard isWanted else { return }
        name(key, in: group(below: parent, tree))
    }

    /// An entry has been put into the tree.
    mutating func linked(_ slot: Int32, _ tree: AuthorizationTree) {
        guard isWanted else { return }
        edge(slot, tree)
    }

    /// An entry is about to leave the tree.
    mutating func unlinking(_ slot: Int32, _ tree: AuthorizationTree) {
        guard isWanted else { return }
        edge(slot, tree)
    }

    /// An agent is about to change or go.
    mutating func agentChanging(_ vertex: Int32, _ tree: AuthorizationTree) {
        guard isWanted else { return }
        let aliases = tree.aliases(of: tree.vertices[vertex].agent, now: now)
        look(at: aliases, from: vertex, tree)
        below.removeAll()
    }

    /// An agent has come or changed.
    mutating func agentChanged(_ vertex: Int32, _ tree: AuthorizationTree) {
        agentChanging(vertex, tree)
    }

    /// The number of a vertex may be used again.
    mutating func forget(_ vertex: Int32) { below[vertex] = nil }

    // MARK: Groups

    private mutating func edge(_ slot: Int32, _ tree: AuthorizationTree) {
        let entry = tree.entries[slot]
        if entry.flags.contains(.alias) {
            let agents = tree.agents(under: slot, now: now)
            if !agents.isEmpty {
                let group = add(agents.map { tree.path(at: tree.agents[$0].vertex) })
                nameAll(below: [entry.spiffeID], in: group, tree)
            }
            below.removeAll()
            return
        }
        let group = group(below: entry.parent, tree)
        name(entry.key, in: group)
        guard tree.vertices[entry.spiffeID].firstChild >= 0 else {
            below[entry.spiffeID] = nil
            return
        }
        nameAll(below: [entry.spiffeID], in: group, tree)
        below.removeAll()
    }

    private mutating func look(at aliases: [Int32], from vertex: Int32, _ tree: AuthorizationTree) {
        guard !aliases.isEmpty else { return }
        let group = add([tree.path(at: vertex)])
        nameAll(below: aliases.map { tree.entries[$0].spiffeID }, in: group, tree)
    }

    private mutating func group(below vertex: Int32, _ tree: AuthorizationTree) -> Int {
        if let known = below[vertex] { return known }
        let made = add(tree.reaching(vertex, now: now).map { tree.path(at: $0) })
        below[vertex] = made
        return made
    }

    private mutating func add(_ paths: [String]) -> Int {
        groups.append(Group(paths: paths))
        return groups.count - 1
    }

    private mutating func nameAll(below starts: [Int32], in group: Int, _ tree: AuthorizationTree) {
        guard let found = tree.closure(below: starts, limit: Self.limit) else {
            groups[group].isEverything = true
            groups[group].keys = []
            return
        }
        for slot in found { name(tree.entries[slot].key, in: group) }
    }

    private mutating func name(_ key: EntryKey, in group: Int) {
        guard !groups[group].isEverything else { return }
        groups[group].keys.append(key)
        if groups[group].keys.count > Self.limit {
            groups[group].isEverything = true
            groups[group].keys = []
        }
    }
}
