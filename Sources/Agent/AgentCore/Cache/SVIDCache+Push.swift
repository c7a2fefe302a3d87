// SPDX-License-Identifier: Apache-2.0

package import SPIFFE

extension SVIDCache {
    /// Takes entries that are new or differ, and IDs of entries that are gone. Call `publish` afterwards.
    package mutating func apply(changed: [AgentEntry], removed: [String]) -> EntryChanges {
        var changes = EntryChanges()
        for id in removed {
            if let old = remove(id) { changes.removed.append(old) }
        }
        for entry in changed { take(entry, &changes) }
        return changes
    }

    /// Those of `ids` whose SVID is to be signed now: it is missing and wanted, or was signed for an older entry.
    package func renewals(of ids: some Sequence<String>) -> [Renewal] {
        var active: Set<String>?
        var room = limit - svidCount
        var found: [Renewal] = []
        for id in ids.sorted() {
            guard let record = records[id], !record.entry.storesSVID else { continue }
            if let svid = record.svid {
                if record.isOutdated { found.append(Renewal(entry: record.entry, expiresAt: svid.notAfter)) }
                continue
            }
            let known = active ?? awaitedIDs
            active = known
            if known.contains(id) {
                found.append(Renewal(entry: record.entry))
            } else if !record.entry.skipsPrefetch, room > 0 {
                found.append(Renewal(entry: record.entry))
                room -= 1
            }
        }
        return found
    }

    /// Bundles as they are after a pushed change: those that came in place of what was there, without those that went.
    ///
    /// - Parameter needed: Trust domains to keep besides the agent's own; `nil` for all.
    package func bundles(
        with new: [EntryPush.Bundle], without removed: [TrustDomain], needed: Set<TrustDomain>?
    ) -> [TrustDomain: TrustBundle] {
        var result = bundles
        for item in new { result[item.bundle.trustDomain] = item.bundle }
        for domain in removed where domain != trustDomain { result[domain] = nil }
        if let needed { result = result.filter { needed.contains($0.key) || $0.key == trustDomain } }
        return result
    }
}
