// SPDX-License-Identifier: Apache-2.0

import Datastore
import TestKit
import Testing

@testable import EntryIndex

@Suite struct EventFeedTests {
    private func events(_ ids: Int64...) -> [ChangeEvent] { ids.map { ChangeEvent(eventID: $0, key: "k\($0)") } }

    @Test("each row is news once")
    func once() {
        var feed = EventFeed(overlap: .seconds(10))
        _ = feed.start(latest: 0)
        #expect(feed.take(events(1, 2), isDeep: true, now: .seconds(1)) == ["k1", "k2"])
        #expect(feed.take(events(1, 2, 3), isDeep: true, now: .seconds(2)) == ["k3"])
        #expect(feed.last == 3)
    }

    @Test("a row that appears late is still noticed within the overlap")
    func late() {
        var feed = EventFeed(overlap: .seconds(10))
        #expect(feed.start(latest: 15000) == 5000)
        #expect(feed.take(events(14999, 15000), isDeep: true, now: .zero).count == 2)
        #expect(feed.take(events(15000, 15005), isDeep: true, now: .seconds(1)) == ["k15005"])
        #expect(feed.take(events(15003, 15005), isDeep: true, now: .seconds(9)) == ["k15003"])
        #expect(feed.take(events(14500, 15003), isDeep: true, now: .seconds(9)) == ["k14500"])
        #expect(feed.floor == 5000)
    }

    @Test("what is older than the overlap is settled and not read again")
    func settled() {
        var feed = EventFeed(overlap: .seconds(10))
        _ = feed.start(latest: 0)
        _ = feed.take(events(1, 2), isDeep: true, now: .zero)
        _ = feed.take(events(3), isDeep: true, now: .seconds(5))
        // A look at new rows only says nothing about late ones.
        _ = feed.take([], isDeep: false, now: .seconds(11))
        #expect(feed.floor == 0)
        _ = feed.take(events(1, 2, 3), isDeep: true, now: .seconds(11))
        #expect(feed.floor == 2)
        _ = feed.take(events(3), isDeep: true, now: .seconds(16))
        #expect(feed.floor == 3)
        #expect(feed.take(events(2), isDeep: true, now: .seconds(16)) == [])
    }

    @Test("looks in between go back a few seconds: a row that is late by moments needs no deep look")
    func shallow() {
        var feed = EventFeed(overlap: .seconds(900))
        _ = feed.start(latest: 0)
        _ = feed.take(events(1, 2), isDeep: true, now: .zero)
        _ = feed.take(events(5), isDeep: false, now: .seconds(4))
        #expect(feed.from(isDeep: false) == 2)
        #expect(feed.take(events(4, 5), isDeep: false, now: .seconds(5)) == ["k4"])
        #expect(feed.from(isDeep: true) == 0)
    }

    @Test("a flood of rows takes bounded memory, and says that it was too much")
    func flood() {
        var feed = EventFeed(overlap: .seconds(900))
        _ = feed.start(latest: 0)
        for start in stride(from: Int64(1), through: 600_001, by: 100_000) {
            let rows = (start..<start + 100_000).map { ChangeEvent(eventID: $0, key: "k") }
            _ = feed.take(rows, isDeep: false, now: .seconds(1))
        }
        #expect(feed.hasForgotten)
        #expect(feed.floor > 100_000)
    }

    @Test("where rows appear in order nothing is read twice")
    func inOrder() {
        var feed = EventFeed(overlap: .zero)
        #expect(feed.start(latest: 7) == 7)
        #expect(feed.from(isDeep: false) == 7)
        #expect(feed.take(events(8, 9), isDeep: false, now: .zero) == ["k8", "k9"])
        #expect(feed.from(isDeep: true) == 9)
    }

    @Test("rows in any order, doubled and late, lose no key", arguments: 0..<20)
    func shuffled(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed) + 77)
        var feed = EventFeed(overlap: .seconds(10))
        _ = feed.start(latest: 0)
        // Each row becomes visible up to nine seconds after its turn.
        let rows = (1...400 as ClosedRange<Int64>).map { id in
            (id: id, visible: Duration.milliseconds(Int64(id) * 50 + Int64(random.next() % 9000)))
        }
        var news: [String] = []
        var now: Duration = .zero
        while now < .seconds(45) {
            let isPoll = random.next() % 3 == 0
            let from = feed.from(isDeep: isPoll)
            let visible = rows.filter { $0.visible <= now && $0.id > from }
            news += feed.take(
                visible.map { ChangeEvent(eventID: $0.id, key: "k\($0.id)") }, isDeep: isPoll, now: now)
            now += .milliseconds(Int64(100 + random.next() % 400))
        }
        #expect(Set(news).count == 400)
        #expect(news.count == 400)
    }
}
