// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
package import Groundwork

extension SVIDCache {
    /// An entry that needs a new SVID.
    package struct Renewal: Sendable, Equatable {
        package var entry: AgentEntry
        /// When the SVID it has ends; `nil` when it has none.
        package var expiresAt: Date?
        /// The SVID it has is past the moment of renewal, as opposed to signed for an older entry.
        package var isExpiring: Bool
        package init(entry: AgentEntry, expiresAt: Date? = nil, isExpiring: Bool = false) {
            self.entry = entry
            self.expiresAt = expiresAt
            self.isExpiring = isExpiring
        }
    }

    /// Says which SVIDs to sign now: those somebody waits for first, then those to be replaced, then others up to the
    /// limit. Over the limit it drops the SVIDs that have gone unused longest.
    package mutating func planSigning(now: Date, random: some RandomSource) -> [Renewal] {
        let active = awaitedIDs
        var waited: [Renewal] = []
        var renewed: [Renewal] = []
        var others: [AgentEntry] = []
        for (id, record) in records where !record.entry.storesSVID {
            if let svid = record.svid {
                let due = rule.isDue(
                    notBefore: svid.notBefore, notAfter: svid.notAfter, now: now, random: random)
                if due || record.isOutdated {
                    renewed.append(Renewal(entry: record.entry, expiresAt: svid.notAfter, isExpiring: due))
                }
            } else if active.contains(id) {
                waited.append(Renewal(entry: record.entry))
            } else if !record.entry.skipsPrefetch {
                others.append(record.entry)
            }
        }
        let room = limit - svidCount - waited.count
        if room > 0 {
            others.sort { $0.id < $1.id }
            renewed.append(contentsOf: others.prefix(room).map { Renewal(entry: $0) })
        } else if svidCount > limit {
            evict(svidCount - limit, keeping: active)
            renewed.removeAll { records[$0.entry.id]?.svid == nil }
        }
        return waited.sorted { $0.entry.id < $1.entry.id } + renewed
    }

    /// Entries somebody waits for that have no SVID yet, ordered by ID.
    package func awaited() -> [Renewal] {
        awaitedIDs.sorted().compactMap { id in
            guard let record = records[id], record.svid == nil else { return nil }
            return Renewal(entry: record.entry)
        }
    }

    /// Entries that match somebody's selectors.
    var awaitedIDs: Set<String> {
        var ids: Set<String> = []
        for state in feeds.values where state.followers > 0 { ids.formUnion(state.matching) }
        return ids
    }

    private mutating func evict(_ count: Int, keeping active: Set<String>) {
        for state in feeds.values {
            for id in state.matching where (records[id]?.lastAccess ?? state.lastAccess) < state.lastAccess {
                records[id]?.lastAccess = state.lastAccess
            }
        }
        let idle = records.filter { $0.value.svid != nil && !active.contains($0.key) }
            .sorted { ($0.value.lastAccess, $0.key) < ($1.value.lastAccess, $1.key) }
        for (id, record) in idle.prefix(count) {
            records[id]?.svid = nil
            svidCount -= 1
            markDirty(matching: record.entry.selectors)
        }
    }

    /// Takes signed SVIDs with the revision of the entry they were signed for. Call `publish` afterwards.
    package mutating func install(_ signed: [(entry: AgentEntry, svid: WorkloadSVID)]) {
        for (entry, svid) in signed {
            guard let record = records[entry.id], !record.entry.storesSVID, record.entry.spiffeID == entry.spiffeID
            else { continue }
            if record.svid == nil { svidCount += 1 }
            records[entry.id]?.svid = svid
            records[entry.id]?.isOutdated =
                record.entry.revision != entry.revision || record.entry.createdAt != entry.createdAt
            markDirty(matching: record.entry.selectors)
        }
    }

    /// Every SVID there is, for a look at its chain.
    package func allSVIDs() -> [(id: String, svid: WorkloadSVID)] {
        records.compactMap { id, record in record.svid.map { (id, $0) } }.sorted { $0.0 < $1.0 }
    }

    /// Drops SVIDs that must not be used any longer. Their followers keep the old one until the new one is signed.
    package mutating func dropSVIDs(_ ids: some Sequence<String>) {
        for id in ids where records[id]?.svid != nil {
            records[id]?.svid = nil
            svidCount -= 1
            if let entry = records[id]?.entry { markDirty(matching: entry.selectors) }
        }
    }
}
