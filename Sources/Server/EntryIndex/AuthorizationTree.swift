// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Who may obtain what: entries as edges from parent path to SPIFFE ID path, nodes with their selectors, and aliases
/// that name nodes by selectors. A value: a copy is a snapshot that later changes do not touch, and costs nothing.
struct AuthorizationTree: Sendable {
    /// A path that is a SPIFFE ID, a parent or an agent, or several of these.
    struct Vertex: Sendable {
        /// Entries and agents that refer to it.
        var uses: Int32 = 0
        /// The first entry whose parent it is, aliases left out; -1 for none.
        var firstChild: Int32 = -1
        /// The first entry whose SPIFFE ID it is, aliases included; -1 for none.
        var firstTwin: Int32 = -1
        var agent: Int32 = -1
    }

    struct Agent: Sendable {
        var vertex: Int32
        /// Unix seconds.
        var expiresAt: Int64
        /// Ascending.
        var selectors: [Int32]
    }

    let domain: OwnDomain
    private(set) var entries = Slots<PackedEntry>()
    private(set) var vertices = Slots<Vertex>()
    private(set) var agents = Slots<Agent>()
    private var entrySlots = SlotFinder()
    private var vertexSlots = SlotFinder()
    private var paths = PackedTexts()
    private var selectors = SelectorTable()
    /// Aliases by one of their selectors.
    private(set) var aliases = ShardedMap<Int32, NumberSet>()
    /// How many aliases there are, and how many selectors they have together.
    private(set) var aliasCount = 0
    private(set) var aliasSelectorCount = 0
    /// Agents by each of their selectors.
    private(set) var agentsBySelector = ShardedMap<Int32, NumberSet>()

    /// The parent asked for last, -1 once that is gone; and whether it is the server.
    private var lastParent: (vertex: Int32, isServer: Bool) = (-1, false)
    /// Without a meaning: what is fetched ahead goes in here, so that the compiler does not leave it out.
    private var glanced: Int32 = 0

    init(trustDomain: String) {
        domain = OwnDomain(trustDomain)
    }

    var entryCount: Int { entries.count }
    var agentCount: Int { agents.count }

    func slot(ofEntry id: String) -> Int32? { slot(of: EntryKey(id)) }
    func slot(of key: EntryKey) -> Int32? { entrySlots.find(SlotFinder.hash(key)) { entries[$0].key == key } }

    /// The vertex of an ID of this trust domain, if anything refers to it.
    func vertex(ofID id: String) -> Int32? {
        guard domain.contains(id) else { return nil }
        return domain.withPath(of: id) { find($0, $0.hash) }
    }

    func path(at vertex: Int32) -> String { paths.text(vertex) }

    /// The SPIFFE ID of a vertex.
    private func id(at vertex: Int32) -> String { paths.text(vertex, after: domain.prefix) }

    /// Writes entries out in full.
    func unpacked(_ slots: some Sequence<Int32>) -> [RegistrationEntry] { records(slots).entries }

    /// The same for the many. Siblings share their parent's text.
    func records(_ slots: some Sequence<Int32>) -> EntryRecords {
        var found = EntryRecords()
        var parent: Int32 = -1
        var parentID = EntryRecords.Place()
        var type = EntryRecords.Place()
        for slot in slots {
            let packed = entries[slot]
            if packed.parent != parent {
                parent = packed.parent
                parentID = unsafe paths.withBytes(parent) { unsafe found.put(domain.prefix, $0) }
            }
            var record = EntryRecords.Record()
            record.id = found.put(packed.key.text)
            record.spiffeID = unsafe paths.withBytes(packed.spiffeID) { unsafe found.put(domain.prefix, $0) }
            record.parentID = parentID
            let firstSelector = found.selectors.count
            for number in packed.selectors {
                let selector = selectors.put(number, known: type, into: &found)
                type = selector.type
                found.selectors.append(selector)
            }
            record.selectors = firstSelector..<found.selectors.count
            record.x509SVIDTTL = packed.x509SVIDTTL
            record.jwtSVIDTTL = packed.jwtSVIDTTL
            record.admin = packed.flags.contains(.admin)
            record.downstream = packed.flags.contains(.downstream)
            record.storeSVID = packed.flags.contains(.storeSVID)
            record.revisionNumber = packed.revisionNumber
            record.createdAt = packed.createdAt
            if let rest = packed.rest {
                record.expiresAt = rest.expiresAt
                record.federatesWith = found.put(rest.federatesWith)
                record.dnsNames = found.put(rest.dnsNames)
                record.hint = found.put(rest.hint)
                record.additionalAttributes = rest.attributes
            }
            found.records.append(record)
        }
        return found
    }

    // MARK: Entries

    /// Adds the entry or replaces the one with its id. Entries outside the trust domain are left out.
    mutating func set(_ entry: RegistrationEntry, _ concern: inout Concern) {
        set(IncomingEntries(EntryRecords([entry]), domain), &concern)
    }

    /// The same for many, one after the other.
    mutating func set(_ incoming: IncomingEntries, _ concern: inout Concern) {
        let count = incoming.facts.count
        unsafe incoming.records.withBytes { bytes in
            for start in stride(from: 0, to: count, by: Self.glances) {
                let some = start..<min(start + Self.glances, count)
                for index in some { glance(at: index, of: incoming) }
                for index in some { unsafe set(index, of: incoming, bytes, &concern) }
            }
        }
    }

    /// How many entries' places are fetched before the entries are put in.
    private static var glances: Int { 16 }

    /// In a large tree most of the time goes by waiting for memory.
    private mutating func glance(at index: Int, of incoming: IncomingEntries) {
        let facts = incoming.facts[index]
        glanced &+= entrySlots.glance(facts.hash) &+ vertexSlots.glance(facts.pathHash)
        for selector in incoming.records.records[index].selectors {
            glanced &+= selectors.glance(incoming.selectorHashes[selector])
        }
    }

    private mutating func set(
        _ index: Int, of incoming: IncomingEntries, _ bytes: UnsafeBufferPointer<UInt8>, _ concern: inout Concern
    ) {
        let records = incoming.records
        let (entry, facts) = (records.records[index], incoming.facts[index])
        let (key, hash) = (facts.key, facts.hash)
        guard facts.isOurs else { return remove(key, &concern) }
        let path = unsafe domain.path(of: entry.spiffeID.bytes(in: bytes))
        let parent = unsafe domain.path(of: entry.parentID.bytes(in: bytes))
        let numbers = NumberList(entry.selectors) { place in
            let selector = records.selectors[place]
            return unsafe selectors.acquire(
                PackedTexts.Text(selector.type.bytes(in: bytes), selector.value.bytes(in: bytes)),
                incoming.selectorHashes[place])
        }
        let known = entrySlots.find(hash) { entries[$0].key == key }
        if let slot = known, keepsPlace(slot, path, parent, selectors: numbers) {
            var packed = entries[slot]
            for number in packed.selectors { selectors.release(number) }
            packed.fill(from: entry, of: records, selectors: numbers)
            entries[slot] = packed
            if !packed.flags.contains(.alias) { concern.changed(key, under: packed.parent, self) }
            return
        }
        if known != nil { remove(key, &concern) }
        var packed = PackedEntry()
        packed.key = key
        packed.spiffeID = acquireVertex(path, facts.pathHash)
        packed.parent = acquireParent(parent)
        let isAlias = lastParent.isServer
        if isAlias { packed.flags.insert(.alias) }
        packed.fill(from: entry, of: records, selectors: numbers)
        // Before the first sibling and the first twin, whose links to it follow.
        if !isAlias { packed.siblings.next = vertices[packed.parent].firstChild }
        packed.twins.next = vertices[packed.spiffeID].firstTwin
        let slot = entries.add(packed)
        entrySlots.insert(hash, slot)
        if isAlias { file(slot) } else { linkSibling(slot, before: packed.siblings.next, under: packed.parent) }
        linkTwin(slot, before: packed.twins.next, of: packed.spiffeID)
        concern.linked(slot, self)
    }

    mutating func remove(_ key: EntryKey, _ concern: inout Concern) {
        let hash = SlotFinder.hash(key)
        guard let slot = entrySlots.find(hash, { entries[$0].key == key }) else { return }
        concern.unlinking(slot, self)
        let packed = entries[slot]
        if packed.flags.contains(.alias) {
            aliasCount -= 1
            aliasSelectorCount -= packed.selectors.count
            aliases[packed.anchor, default: NumberSet()].remove(slot)
            if aliases[packed.anchor]?.isEmpty == true { aliases[packed.anchor] = nil }
        } else {
            unlinkSibling(slot)
        }
        unlinkTwin(slot)
        entrySlots.remove(hash, slot)
        entries.remove(slot, empty: PackedEntry())
        releaseVertex(packed.spiffeID, &concern)
        releaseVertex(packed.parent, &concern)
        for selector in packed.selectors { selectors.release(selector) }
    }

    /// Whether the entry in `slot` stays where it is in the tree under its new values.
    private func keepsPlace(
        _ slot: Int32, _ path: PackedTexts.Text, _ parent: PackedTexts.Text, selectors new: NumberList
    ) -> Bool {
        let packed = entries[slot]
        guard paths.isEqual(packed.spiffeID, path), paths.isEqual(packed.parent, parent) else { return false }
        return !packed.flags.contains(.alias) || packed.selectors.elementsEqual(new)
    }

    /// Files an alias under the selector that has fewest aliases yet, so that no list grows long.
    private mutating func file(_ slot: Int32) {
        aliasCount += 1
        aliasSelectorCount += entries[slot].selectors.count
        let anchor = entries[slot].selectors.min { (aliases[$0]?.count ?? 0) < (aliases[$1]?.count ?? 0) }
        guard let anchor else { return }
        entries[slot].anchor = anchor
        aliases[anchor, default: NumberSet()].insert(slot)
    }

    private mutating func linkSibling(_ slot: Int32, before first: Int32, under parent: Int32) {
        if first >= 0 { entries[first].siblings.previous = slot }
        vertices[parent].firstChild = slot
    }

    private mutating func unlinkSibling(_ slot: Int32) {
        let links = entries[slot].siblings
        if links.previous >= 0 {
            entries[links.previous].siblings.next = links.next
        } else {
            vertices[entries[slot].parent].firstChild = links.next
        }
        if links.next >= 0 { entries[links.next].siblings.previous = links.previous }
    }

    private mutating func linkTwin(_ slot: Int32, before first: Int32, of vertex: Int32) {
        if first >= 0 { entries[first].twins.previous = slot }
        vertices[vertex].firstTwin = slot
    }

    private mutating func unlinkTwin(_ slot: Int32) {
        let links = entries[slot].twins
        if links.previous >= 0 {
            entries[links.previous].twins.next = links.next
        } else {
            vertices[entries[slot].spiffeID].firstTwin = links.next
        }
        if links.next >= 0 { entries[links.next].twins.previous = links.previous }
    }

    // MARK: Agents

    mutating func setAgent(id: String, expiresAt: Int64, selectors list: [Selector], _ concern: inout Concern) {
        guard domain.contains(id) else { return }
        let numbers = Set(list).map { selectors.acquire($0) }.sorted()
        if let vertex = vertex(ofID: id), case let slot = vertices[vertex].agent, slot >= 0,
            agents[slot].selectors == numbers
        {
            // A renewal: what it may obtain stays, unless it had expired before.
            for number in numbers { selectors.release(number) }
            let wasValid = agents[slot].expiresAt >= concern.now
            if wasValid != (expiresAt >= concern.now) { concern.agentChanging(vertex, self) }
            agents[slot].expiresAt = expiresAt
            if wasValid != (expiresAt >= concern.now) { concern.agentChanged(vertex, self) }
            return
        }
        removeAgent(id: id, &concern)
        // No method of this value may take the closure, which changes it: the call would hold a copy meanwhile.
        let vertex = domain.withPath(of: id) { acquireVertex($0, $0.hash) }
        let slot = agents.add(Agent(vertex: vertex, expiresAt: expiresAt, selectors: numbers))
        vertices[vertex].agent = slot
        for number in numbers { agentsBySelector[number, default: NumberSet()].insert(slot) }
        concern.agentChanged(vertex, self)
    }

    mutating func removeAgent(id: String, _ concern: inout Concern) {
        guard let vertex = vertex(ofID: id), vertices[vertex].agent >= 0 else { return }
        concern.agentChanging(vertex, self)
        let slot = vertices[vertex].agent
        for selector in agents[slot].selectors {
            agentsBySelector[selector, default: NumberSet()].remove(slot)
            if agentsBySelector[selector]?.isEmpty == true { agentsBySelector[selector] = nil }
            selectors.release(selector)
        }
        agents.remove(slot, empty: Agent(vertex: -1, expiresAt: 0, selectors: []))
        vertices[vertex].agent = -1
        releaseVertex(vertex, &concern)
    }

    mutating func removeAgents(expiredBefore now: Int64, _ concern: inout Concern) {
        for slot in agents.slots where agents[slot].vertex >= 0 && agents[slot].expiresAt < now {
            removeAgent(id: id(at: agents[slot].vertex), &concern)
        }
    }

    // MARK: Vertices

    /// - Parameter hash: Of the path.
    private mutating func acquireVertex(_ path: PackedTexts.Text, _ hash: UInt64) -> Int32 {
        if let known = find(path, hash) {
            vertices[known].uses += 1
            return known
        }
        let slot = vertices.add(Vertex(uses: 1))
        paths.set(slot, path)
        vertexSlots.insert(hash, slot)
        return slot
    }

    /// Siblings come one after another.
    private mutating func acquireParent(_ path: PackedTexts.Text) -> Int32 {
        if lastParent.vertex >= 0, paths.isEqual(lastParent.vertex, path) {
            vertices[lastParent.vertex].uses += 1
        } else {
            lastParent = (acquireVertex(path, path.hash), PackedTexts.Text.with("/spire/server") { path.isEqual($0) })
        }
        return lastParent.vertex
    }

    private mutating func releaseVertex(_ slot: Int32, _ concern: inout Concern) {
        vertices[slot].uses -= 1
        guard vertices[slot].uses == 0 else { return }
        vertexSlots.remove(paths.hash(slot), slot)
        paths.clear(slot)
        vertices.remove(slot, empty: Vertex())
        if lastParent.vertex == slot { lastParent.vertex = -1 }
        concern.forget(slot)
    }

    private func find(_ path: PackedTexts.Text, _ hash: UInt64) -> Int32? {
        vertexSlots.find(hash) { paths.isEqual($0, path) }
    }
}
