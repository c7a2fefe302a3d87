// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import SPIFFE

/// The agent's entries, bundles and X.509-SVIDs, and who waits for them. A pure machine: its owner locks it, signs what
/// `planSigning` names and hands the result to `install`.
///
/// The size limit is soft: an SVID somebody subscribes to is always kept.
package struct SVIDCache {
    struct Record {
        var entry: AgentEntry
        var svid: WorkloadSVID?
        /// The entry changed after its SVID was signed.
        var isOutdated = false
        /// `TimeSource.uptime` of the last subscription that matched.
        var lastAccess: Duration = .zero
    }

    struct FeedState {
        let feed: WorkloadFeed
        var followers: Int
        var lastAccess: Duration
        /// Matching entries, ascending.
        var matching: [String]
    }

    /// Feeds nobody follows that are kept for the next caller with the same selectors.
    static let idleFeedLimit = 4096

    let trustDomain: TrustDomain
    let limit: Int
    let rule: RotationRule
    var records: [String: Record] = [:]
    /// Each workload entry under one of its selectors: whoever matches it has that selector.
    var anchors: [Selector: Set<String>] = [:]
    var feeds: [SelectorSet: FeedState] = [:]
    var feedsBySelector: [Selector: Set<SelectorSet>] = [:]
    var idleFeeds = 0
    package internal(set) var bundles: [TrustDomain: TrustBundle] = [:]
    package internal(set) var svidCount = 0
    var dirty: Set<SelectorSet> = []
    /// Of all entries.
    package private(set) var digest = SetDigest()

    /// - Parameter limit: How many SVIDs are kept for nobody in particular.
    package init(trustDomain: TrustDomain, bundle: TrustBundle, limit: Int, rule: RotationRule) {
        self.trustDomain = trustDomain
        self.limit = limit
        self.rule = rule
        bundles[trustDomain] = bundle
    }

    package var entryCount: Int { records.count }

    /// The agent's own bundle.
    package var ownBundle: TrustBundle {
        bundles[trustDomain] ?? TrustBundle(trustDomain: trustDomain, x509Authorities: [])
    }

    // MARK: Entries

    /// Whether the cache holds this very version.
    package func holds(_ revision: EntrySync.Revision) -> Bool {
        guard let entry = records[revision.id]?.entry else { return false }
        return entry.revision == revision.number && (revision.createdAt == 0 || entry.createdAt == revision.createdAt)
    }

    /// How the set of entries changed.
    package struct EntryChanges: Sendable, Equatable {
        package var added: [AgentEntry] = []
        package var updated: [AgentEntry] = []
        package var removed: [AgentEntry] = []
        package var isEmpty: Bool { added.isEmpty && updated.isEmpty && removed.isEmpty }
    }

    /// Takes the result of a synchronisation. Call `publish` afterwards.
    package mutating func apply(_ outcome: EntrySync.Outcome) -> EntryChanges {
        var changes = EntryChanges()
        let present: Set<String>
        let incoming: [AgentEntry]
        switch outcome {
        case .complete(let entries):
            present = Set(entries.map(\.id))
            incoming = entries
        case .delta(let ids, let entries):
            present = ids
            incoming = entries
        }
        if present.count != records.count || !records.keys.allSatisfy(present.contains) {
            for id in Array(records.keys) where !present.contains(id) {
                if let old = remove(id) { changes.removed.append(old) }
            }
        }
        for entry in incoming { take(entry, &changes) }
        return changes
    }

    mutating func take(_ entry: AgentEntry, _ changes: inout EntryChanges) {
        guard let old = records[entry.id]?.entry else {
            insert(entry)
            changes.added.append(entry)
            return
        }
        guard old != entry else { return }
        replace(old, with: entry)
        changes.updated.append(entry)
    }

    private mutating func insert(_ entry: AgentEntry) {
        records[entry.id] = Record(entry: entry)
        digest.add(entry.version)
        guard !entry.storesSVID else { return }
        anchor(entry)
        markDirty(matching: entry.selectors)
    }

    mutating func remove(_ id: String) -> AgentEntry? {
        guard let record = records.removeValue(forKey: id) else { return nil }
        digest.subtract(record.entry.version)
        if record.svid != nil { svidCount -= 1 }
        if !record.entry.storesSVID {
            unanchor(record.entry)
            markDirty(matching: record.entry.selectors)
        }
        return record.entry
    }

    private mutating func replace(_ old: AgentEntry, with new: AgentEntry) {
        if old.selectors != new.selectors || old.storesSVID != new.storesSVID || old.spiffeID != new.spiffeID {
            // An SVID signed for another ID must not be handed out for a moment longer.
            let kept = old.spiffeID == new.spiffeID && !new.storesSVID ? records[old.id] : nil
            _ = remove(old.id)
            insert(new)
            if let kept, let svid = kept.svid {
                records[new.id]?.svid = svid
                records[new.id]?.isOutdated = true
                records[new.id]?.lastAccess = kept.lastAccess
                svidCount += 1
            }
            return
        }
        records[new.id]?.entry = new
        digest.subtract(old.version)
        digest.add(new.version)
        if old.revision != new.revision || old.createdAt != new.createdAt { records[new.id]?.isOutdated = true }
        if old.federatesWith != new.federatesWith { markDirty(matching: new.selectors) }
    }

    private mutating func anchor(_ entry: AgentEntry) {
        let best = entry.selectors.selectors.min {
            anchors[$0, default: []].count < anchors[$1, default: []].count
        }
        if let best { anchors[best, default: []].insert(entry.id) }
    }

    private mutating func unanchor(_ entry: AgentEntry) {
        for selector in entry.selectors.selectors where anchors[selector]?.contains(entry.id) == true {
            anchors[selector]?.remove(entry.id)
            if anchors[selector]?.isEmpty == true { anchors[selector] = nil }
        }
    }

    // MARK: Bundles

    /// Trust domains whose bundles are needed once `outcome` has been applied, ascending, without the agent's own.
    package func federatedDomains(after outcome: EntrySync.Outcome) -> [TrustDomain] {
        var domains: Set<TrustDomain> = []
        switch outcome {
        case .complete(let entries):
            for entry in entries { domains.formUnion(entry.federatesWith) }
        case .delta(let present, let changed):
            for entry in changed { domains.formUnion(entry.federatesWith) }
            let replaced = Set(changed.map(\.id))
            for (id, record) in records where !record.entry.federatesWith.isEmpty {
                if present.contains(id), !replaced.contains(id) { domains.formUnion(record.entry.federatesWith) }
            }
        }
        domains.remove(trustDomain)
        return domains.sorted()
    }

    /// Takes the bundles of a synchronisation; the agent's own is never dropped. Call `publish` afterwards.
    /// - Returns: the trust domains whose bundle came, went or changed.
    package mutating func replaceBundles(_ new: [TrustDomain: TrustBundle]) -> Set<TrustDomain> {
        var changed: Set<TrustDomain> = []
        for (domain, bundle) in new where bundles[domain] != bundle {
            bundles[domain] = bundle
            changed.insert(domain)
        }
        for domain in Array(bundles.keys) where new[domain] == nil && domain != trustDomain {
            bundles[domain] = nil
            changed.insert(domain)
        }
        if changed.isEmpty { return changed }
        if changed.contains(trustDomain) {
            dirty.formUnion(feeds.keys)
        } else {
            for record in records.values where record.entry.federatesWith.contains(where: changed.contains) {
                markDirty(matching: record.entry.selectors)
            }
        }
        return changed
    }

    // MARK: Matching

    /// IDs of the workload entries whose selectors are all in `selectors`, ascending.
    package func matching(_ selectors: SelectorSet) -> [String] {
        var found: [String] = []
        for selector in selectors.selectors {
            guard let ids = anchors[selector] else { continue }
            for id in ids {
                if let record = records[id], selectors.isSuperset(of: record.entry.selectors) { found.append(id) }
            }
        }
        return found.sorted()
    }

    /// The workload entries whose selectors are all in `selectors`, ordered by ID.
    package func entries(matching selectors: SelectorSet) -> [AgentEntry] {
        (feeds[selectors]?.matching ?? matching(selectors)).compactMap { records[$0]?.entry }
    }

    /// What a workload with these selectors may know now, without waiting for SVIDs that are missing.
    package func update(for selectors: SelectorSet) -> WorkloadUpdate {
        makeUpdate(matching(selectors))
    }

    func makeUpdate(_ ids: [String]) -> WorkloadUpdate {
        var identities: [WorkloadUpdate.Identity] = []
        var domains: Set<TrustDomain> = []
        for id in ids {
            guard let record = records[id] else { continue }
            domains.formUnion(record.entry.federatesWith)
            if let svid = record.svid { identities.append(.init(entry: record.entry, svid: svid)) }
        }
        domains.remove(trustDomain)
        return WorkloadUpdate(
            identities: identities, bundle: ownBundle, federated: domains.sorted().compactMap { bundles[$0] })
    }
}
