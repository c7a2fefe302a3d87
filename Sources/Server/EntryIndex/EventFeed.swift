// SPDX-License-Identifier: Apache-2.0

import Datastore

/// Decides which event rows are news.
///
/// Row ids are given out before rows become visible, so a row may appear after others with higher ids. Nothing is
/// concluded from gaps: rows are read again from as far back as a late one can still appear, and those seen are skipped.
/// Most late rows are late by moments, so most looks go back a little, and one now and then goes back all the way.
struct EventFeed: Sendable {
    /// Everything up to this id is settled.
    private(set) var floor: Int64 = 0
    /// Everything up to this id has been there for a while; a late row below it is found by the next deep look.
    private(set) var shallow: Int64 = 0
    /// Highest id seen.
    private(set) var last: Int64 = 0
    /// More rows came than are kept: some were settled early.
    private(set) var hasForgotten = false
    private var seen: Set<Int64> = []
    /// In the order they were seen.
    private var arrivals: [(id: Int64, at: Duration)] = []
    /// How many arrivals are settled, and how many lie behind `shallow`.
    private var settled = 0
    private var passed = 0
    private let overlap: Duration

    /// How far below the latest row a start looks for rows that are still to appear.
    static let startDepth: Int64 = 10_000
    /// How late most late rows are at most.
    static let usualLateness: Duration = .seconds(3)
    /// Rows kept in mind at most.
    static let seenLimit = 500_000

    /// - Parameter overlap: How much later than a row with a higher id a row may become visible; zero when ids become
    ///   visible in order.
    init(overlap: Duration) { self.overlap = overlap }

    /// Where to read before a complete load, whose rows are then handed to `take` and need no attention.
    mutating func start(latest: Int64) -> Int64 {
        floor = overlap == .zero ? latest : max(0, latest - Self.startDepth)
        shallow = floor
        last = latest
        return floor
    }

    /// Where the next look begins: rows with higher ids are to be read.
    func from(isDeep: Bool) -> Int64 {
        if overlap == .zero { return last }
        return isDeep ? floor : max(floor, shallow)
    }

    /// - Parameters:
    ///   - events: Rows above `from`, ascending or not, doubled or not.
    ///   - isDeep: Whether everything above `floor` was read.
    ///   - now: A time before the read.
    /// - Returns: The keys that have changed, in order, once each.
    mutating func take(_ events: [ChangeEvent], isDeep: Bool, now: Duration) -> [String] {
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
        if overlap == .zero {
            floor = last
            return fresh
        }
        while passed < arrivals.count, arrivals[passed].at + Self.usualLateness <= now {
            shallow = max(shallow, arrivals[passed].id)
            passed += 1
        }
        let due = now - overlap
        if isDeep { settle { $0 <= due } }
        if arrivals.count - settled > Self.seenLimit {
            hasForgotten = true
            var surplus = arrivals.count - settled - Self.seenLimit / 2
            settle { _ in
                surplus -= 1
                return surplus >= 0
            }
        }
        return fresh
    }

    private mutating func settle(_ isDue: (Duration) -> Bool) {
        while settled < arrivals.count, isDue(arrivals[settled].at) {
            floor = max(floor, arrivals[settled].id)
            seen.remove(arrivals[settled].id)
            settled += 1
        }
        passed = max(passed, settled)
        guard settled > 1024 || settled == arrivals.count else { return }
        arrivals.removeFirst(settled)
        passed -= settled
        settled = 0
    }
}
