// SPDX-License-Identifier: Apache-2.0

import Groundwork
import TestKit
import Testing

struct BackoffTests {
    @Test("waits grow to the cap, never differ by more than the jitter, and start over after a success")
    func growth() {
        let random = SeededRandom()
        var backoff = Backoff(first: .seconds(5), multiplier: 1.5, jitter: 0.1, cap: .seconds(120))
        var expected = 5.0
        for _ in 0..<20 {
            let wait = backoff.next(random).inSeconds
            #expect(wait >= expected * 0.899 && wait <= expected * 1.101)
            expected = min(120, expected * 1.5)
        }
        backoff.reset()
        #expect(backoff.next(random) < .seconds(6))
    }

    @Test("without jitter the schedule is exact; a first wait above the cap is the cap")
    func exact() {
        let random = SeededRandom()
        var backoff = Backoff(first: .seconds(1), multiplier: 2, jitter: 0, cap: .seconds(3))
        #expect([backoff.next(random), backoff.next(random), backoff.next(random)] == [.seconds(1), .seconds(2), .seconds(3)])
        var high = Backoff(first: .seconds(10), jitter: 0, cap: .seconds(4))
        #expect(high.next(random) == .seconds(4))
    }

    @Test("two agents that fail together do not try again together")
    func spread() {
        var waits = Set<Duration>()
        for seed: UInt64 in 0..<50 {
            var backoff = Backoff(first: .seconds(5), cap: .seconds(120))
            waits.insert(backoff.next(SeededRandom(seed: seed)))
        }
        #expect(waits.count > 45)
    }
}
