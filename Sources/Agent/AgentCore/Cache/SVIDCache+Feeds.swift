// SPDX-License-Identifier: Apache-2.0

import Groundwork

extension SVIDCache {
    /// Begins to follow a set of selectors.
    /// - Parameter now: `TimeSource.uptime`.
    /// - Returns: the feed, and whether an SVID it needs has still to be signed.
    package mutating func subscribe(
        _ selectors: SelectorSet, now: Duration
    ) -> (feed: WorkloadFeed, needsSigning: Bool) {
        if let feed = feeds[selectors]?.feed {
            if feeds[selectors]?.followers == 0 { idleFeeds -= 1 }
            feeds[selectors]?.followers += 1
            feeds[selectors]?.lastAccess = now
            return (feed, feed.latest.value == nil)
        }
        let feed = WorkloadFeed(selectors: selectors)
        let ids = matching(selectors)
        feeds[selectors] = FeedState(feed: feed, followers: 1, lastAccess: now, matching: ids)
        for selector in selectors.selectors { feedsBySelector[selector, default: []].insert(selectors) }
        let complete = ids.allSatisfy { records[$0]?.svid != nil }
        if complete { feed.latest.set(makeUpdate(ids)) }
        return (feed, !complete)
    }

    /// Ends what `subscribe` began. The feed stays for a while: the next caller is often the same program.
    package mutating func unsubscribe(_ feed: WorkloadFeed) {
        guard let state = feeds[feed.selectors], state.feed === feed, state.followers > 0 else { return }
        feeds[feed.selectors]?.followers -= 1
        guard state.followers == 1 else { return }
        idleFeeds += 1
        if feed.latest.value == nil { drop(feed.selectors) }
        if idleFeeds > Self.idleFeedLimit { dropIdleFeeds(since: .seconds(Int64.max / 2)) }
    }

    /// Forgets feeds nobody has followed since `since` (`TimeSource.uptime`).
    package mutating func dropIdleFeeds(since: Duration) {
        guard idleFeeds > 0 else { return }
        for (selectors, state) in feeds where state.followers == 0 && state.lastAccess <= since { drop(selectors) }
    }

    private mutating func drop(_ selectors: SelectorSet) {
        guard let state = feeds.removeValue(forKey: selectors) else { return }
        if state.followers == 0 { idleFeeds -= 1 }
        for id in state.matching {
            guard let access = records[id]?.lastAccess, access < state.lastAccess else { continue }
            records[id]?.lastAccess = state.lastAccess
        }
        for selector in selectors.selectors {
            feedsBySelector[selector]?.remove(selectors)
            if feedsBySelector[selector]?.isEmpty == true { feedsBySelector[selector] = nil }
        }
    }

    /// Notes that whoever has at least `selectors` may have to be told something.
    mutating func markDirty(matching selectors: SelectorSet) {
        guard !feeds.isEmpty else { return }
        var candidates: Set<SelectorSet>?
        for selector in selectors.selectors {
            guard let here = feedsBySelector[selector] else { return }
            if candidates.map({ here.count < $0.count }) ?? true { candidates = here }
        }
        for candidate in candidates ?? [] where candidate.isSuperset(of: selectors) { dirty.insert(candidate) }
    }

    /// Tells every follower concerned by the changes since the last call, unless an SVID it needs is missing yet.
    package mutating func publish() {
        for selectors in dirty {
            guard let state = feeds[selectors] else { continue }
            if state.followers == 0 {
                drop(selectors)
                continue
            }
            let ids = matching(selectors)
            feeds[selectors]?.matching = ids
            if ids.allSatisfy({ records[$0]?.svid != nil }) { state.feed.latest.set(makeUpdate(ids)) }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    /// Ends every follower's stream.
    package func closeFeeds() {
        for state in feeds.values { state.feed.latest.close() }
    }
}
