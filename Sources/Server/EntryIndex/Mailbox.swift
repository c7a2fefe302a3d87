// SPDX-License-Identifier: Apache-2.0

/// Where a follower stands in one server's history of changes.
package struct StreamPosition: Sendable, Hashable {
    /// Names the history: another server's, or the same server's after a restart, is another one.
    package var epoch: UInt64
    package var revision: UInt64
    package init(epoch: UInt64, revision: UInt64) {
        self.epoch = epoch
        self.revision = revision
    }
}

/// Which entries an agent has to look at again, by revision: enough for its open streams and for one that comes back.
///
/// Bounded: what does not fit is forgotten, and who is behind that has to start with everything.
struct Mailbox: Sendable {
    /// The keys of one change, shared by the mailboxes of all agents concerned.
    final class Keys: Sendable {
        let keys: [EntryKey]
        init(_ keys: [EntryKey]) { self.keys = keys }
    }

    struct Item: Sendable {
        let revision: UInt64
        let keys: Keys
    }

    private(set) var items: [Item] = []
    private var total = 0
    /// Everything up to this revision is forgotten.
    private(set) var floor: UInt64

    static let itemLimit = 128
    static let keyLimit = 4096

    init(floor: UInt64) { self.floor = floor }

    mutating func add(_ keys: Keys, _ revision: UInt64) {
        items.append(Item(revision: revision, keys: keys))
        total += keys.keys.count
        var dropped = 0
        while total > Self.keyLimit || items.count - dropped > Self.itemLimit {
            total -= items[dropped].keys.keys.count
            floor = items[dropped].revision
            dropped += 1
        }
        if dropped == 0 { return }
        // Several items may have come in one change: it is forgotten as a whole.
        while dropped < items.count, items[dropped].revision <= floor {
            total -= items[dropped].keys.keys.count
            dropped += 1
        }
        items.removeFirst(dropped)
    }

    /// More changed than can be named.
    mutating func forget(upTo revision: UInt64) {
        floor = revision
        items = []
        total = 0
    }

    /// The keys of changes after `revision`, each once; `nil` when they are no longer known.
    func keys(after revision: UInt64) -> [EntryKey]? {
        guard revision >= floor else { return nil }
        var seen: Set<EntryKey> = []
        var found: [EntryKey] = []
        for item in items where item.revision > revision {
            for key in item.keys.keys where seen.insert(key).inserted { found.append(key) }
        }
        return found
    }
}
