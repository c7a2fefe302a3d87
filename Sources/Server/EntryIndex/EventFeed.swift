// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Decides which event rows are news.
///
/// Row ids are given out before rows become visible, so a row may appear after others with higher ids. Nothing is
/// concluded from gaps: rows are read again from as far back as a late one can still appear, and those seen are skipped.
struct EventFeed: Sendable {
    /// Reading starts after this id: everything up to it is settled.
    private(set) var floor: Int64 = 0
    /// Highest id seen.
    private(set) var last: Int64 = 0
    private var seen: Set<Int64> = []
    /// In the order they were seen.
    private var arrivals: [(id: Int64, at: Duration)] = []
    private var settled = 0
    private let overlap: Duration

    /// How far below the latest row a start looks for rows that are still to appear.
    static let startDepth: Int64 = 1000

    /// - Parameter overlap: How much later than a row with a higher id a row may become visible; zero when ids become
    ///   visible in order.
    init(overlap: Duration) { self.overlap = overlap }

    /// Where to read before a complete load, whose rows are then handed to `take` and need no attention.
    mutating func start(latest: Int64) -> Int64 {
        floor = overlap == .zero ? latest : max(0, latest - Self.startDepth)
        last = latest
        return floor
    }

    /// - Parameters:
    ///   - isComplete: Whether everything above `floor` was read, not only what is above `last`.
    ///   - now: A time before the read.
    /// - Returns: The keys that have changed, in order, once each.
    mutating func take(_ events: [ChangeEvent], isComplete: Bool, now: Duration) -> [String] {
        var fresh: [String] = []
        var keys: Set<String> = []
        for event in events where event.eventID > floor {
            last = max(last, event.eventID)
            if overlap != .zero {
                guard seen.insert(event.eventID).inserted else { continue }
                arrivals.append((event.eventID, now))
            }
            if keys.insert(event.key).inserted { fresh.append(event.key) }
        }
        if isComplete { settle(now) }
        return fresh
    }

    private mutating func settle(_ now: Duration) {
        if overlap == .zero {
            floor = max(floor, last)
            return
        }
        while settled < arrivals.count, arrivals[settled].at + overlap <= now {
            floor = max(floor, arrivals[settled].id)
            seen.remove(arrivals[settled].id)
            settled += 1
        }
        if settled > 1024 || settled == arrivals.count {
            arrivals.removeFirst(settled)
            settled = 0
        }
    }
}
