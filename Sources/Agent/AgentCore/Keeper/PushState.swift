// SPDX-License-Identifier: Apache-2.0

import SPIFFE

/// Where the stream of changes stands.
struct PushState {
    /// Changes come by themselves at the moment.
    var isLive = false
    /// Something is amiss that a synchronisation would show.
    private var hasDoubt = false
    /// Where the stream has come to, as long as nothing else changed what is held.
    var position: EntryPush.Position?
    /// Bundles as they were pushed.
    var bundles: [TrustDomain: EntryPush.Bundle] = [:]
    /// Entries that came and cannot be used, by ID.
    var rejected: [String: EntrySync.Revision] = [:]
    /// Counts pushed changes.
    var generation: UInt64 = 0
    /// Entries that came and whose SVID has not been seen to yet.
    var fresh: Set<String> = []

    mutating func ended(withDoubt hasDoubt: Bool) {
        isLive = false
        if hasDoubt { self.hasDoubt = true }
    }

    mutating func takeDoubt() -> Bool {
        defer { hasDoubt = false }
        return hasDoubt
    }

    /// What the agent says it holds when it opens a stream.
    func start(_ cache: SVIDCache) -> EntryPush.Start {
        var start = EntryPush.Start()
        start.position = position
        start.held = digest(cache)
        for (domain, pushed) in bundles where cache.bundles[domain] == pushed.bundle {
            start.bundles[domain] = pushed.version
        }
        return start
    }

    /// Of what the server counts as held.
    func digest(_ cache: SVIDCache) -> SetDigest {
        rejected.values.reduce(into: cache.digest) { $0.add($1) }
    }

    /// Takes note of what a change brought beside entries that can be used.
    mutating func note(_ change: EntryPush.Change) {
        generation &+= 1
        position = change.position
        if change.isComplete { rejected.removeAll() }
        for entry in change.entries { rejected[entry.id] = nil }
        for id in change.removed { rejected[id] = nil }
        for entry in change.rejected { rejected[entry.id] = entry }
        for pushed in change.bundles { bundles[pushed.bundle.trustDomain] = pushed }
        for domain in change.removedDomains { bundles[domain] = nil }
    }
}
