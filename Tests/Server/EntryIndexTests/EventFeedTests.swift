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
        #expect(feed.take(events(1, 2), isComplete: true, now: .seconds(1)) == ["k1", "k2"])
        #expect(feed.take(events(1, 2, 3), isComplete: true, now: .seconds(2)) == ["k3"])
        #expect(feed.last == 3)
    }

    @Test("a row that appears late is still noticed within the overlap")
    func late() {
        var feed = EventFeed(overlap: .seconds(10))
        #expect(feed.start(latest: 5000) == 4000)
        #expect(feed.take(events(4999, 5000), isComplete: true, now: .zero).count == 2)
        #expect(feed.take(events(5000, 5005), isComplete: true, now: .seconds(1)) == ["k5005"])
        #expect(feed.take(events(5003, 5005), isComplete: true, now: .seconds(9)) == ["k5003"])
        #expect(feed.take(events(4500, 5003), isComplete: true, now: .seconds(9)) == ["k4500"])
        #expect(feed.floor == 4000)
    }

    @Test("what is older than the overlap is settled and not read again")
    func settled() {
        var feed = EventFeed(overlap: .seconds(10))
        _ = feed.start(latest: 0)
        _ = feed.take(events(1, 2), isComplete: true, now: .zero)
        _ = feed.take(events(3), isComplete: true, now: .seconds(5))
        // A look at new rows only says nothing about late ones.
        _ = feed.take([], isComplete: false, now: .seconds(11))
        #expect(feed.floor == 0)
        _ = feed.take(events(1, 2, 3), isComplete: true, now: .seconds(11))
        #expect(feed.floor == 2)
        _ = feed.take(events(3), isComplete: true, now: .seconds(16))
        #expect(feed.floor == 3)
        #expect(feed.take(events(2), isComplete: true, now: .seconds(16)) == [])
    }

    @Test("where rows appear in order nothing is read twice")
    func inOrder() {
        var feed = EventFeed(overlap: .zero)
        #expect(feed.start(latest: 7) == 7)
        #expect(feed.take(events(8, 9), isComplete: false, now: .zero) == ["k8", "k9"])
        #expect(feed.last == 9)
        _ = feed.take([], isComplete: true, now: .zero)
        #expect(feed.floor == 9)
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
            let from = isPoll ? feed.floor : feed.last
            let visible = rows.filter { $0.visible <= now && $0.id > from }
            news += feed.take(
                visible.map { ChangeEvent(eventID: $0.id, key: "k\($0.id)") }, isComplete: isPoll, now: now)
            now += .milliseconds(Int64(100 + random.next() % 400))
        }
        #expect(Set(news).count == 400)
        #expect(news.count == 400)
    }
}
