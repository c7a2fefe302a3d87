// SPDX-License-Identifier: Apache-2.0

package import Groundwork

/// The updates for one set of selectors, shared by every workload that has them.
package final class WorkloadFeed: Sendable {
    package let selectors: SelectorSet
    /// `nil` until every matching entry has an SVID.
    package let latest: Watch<WorkloadUpdate?>

    package init(selectors: SelectorSet) {
        self.selectors = selectors
        latest = Watch(nil)
    }
}

/// A workload's hold on a feed. Ends when `cancel` is called: the SVIDs it kept alive may then be dropped.
package struct WorkloadSubscription: Sendable {
    package let feed: WorkloadFeed
    let release: @Sendable (WorkloadFeed) -> Void

    package init(feed: WorkloadFeed, release: @escaping @Sendable (WorkloadFeed) -> Void) {
        self.feed = feed
        self.release = release
    }

    /// Call exactly once.
    package func cancel() { release(feed) }

    /// The current update as soon as there is one, then each newer one. A slow reader skips what it missed.
    package func updates() -> Updates { Updates(changes: feed.latest.changes().makeAsyncIterator()) }

    package struct Updates: Sendable {
        var changes: Watch<WorkloadUpdate?>.Changes.Iterator

        /// - Returns: `nil` once the caller's task is cancelled or the agent ends.
        package mutating func next() async -> WorkloadUpdate? {
            while let change = await changes.next() {
                if let update = change { return update }
            }
            return nil
        }
    }
}
