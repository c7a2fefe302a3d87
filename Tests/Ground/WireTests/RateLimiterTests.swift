// SPDX-License-Identifier: Apache-2.0

import Groundwork
import RPC
import TestKit
import Testing
import Wire

@Suite("Rate limits")
struct RateLimiterTests {
    @Test("a burst passes at once, what follows waits for tokens, each key has its own")
    func waits() async throws {
        let clock = ManualClock()
        let limiter = RateLimiter(rate: 5, time: clock)
        try await limiter.wait(5, key: "a")
        try await limiter.wait(5, key: "b")
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await limiter.wait(1, key: "a") }
            #expect(await clock.sleepers() == .milliseconds(200))
            clock.advance(by: .milliseconds(200))
            try await tasks.waitForAll()
        }
        clock.advance(by: .seconds(1))
        try await limiter.wait(5, key: "a")
    }

    @Test("more than a bucket holds is refused with the limiter's text")
    func burst() async throws {
        let limiter = RateLimiter(rate: 5, time: ManualClock())
        let refused = await status { try await limiter.wait(6, key: "a") }
        #expect(refused == RPCStatus(.resourceExhausted, "rate (6) exceeds burst size (5)"))
    }

    @Test("a caller who cannot wait long enough is told at once and takes nothing")
    func deadline() async throws {
        let clock = ManualClock()
        let limiter = RateLimiter(rate: 1, time: clock)
        try await limiter.wait(1, key: "a")
        let refused = await status { try await limiter.wait(1, key: "a", timeout: .milliseconds(500)) }
        #expect(refused?.code == .resourceExhausted)
        clock.advance(by: .seconds(1))
        try await limiter.wait(1, key: "a", timeout: .zero)
    }

    @Test("buckets nobody uses are forgotten after two generations")
    func forgotten() async throws {
        let clock = ManualClock()
        let limiter = RateLimiter(rate: 5, time: clock)
        for key in 0..<100 { try await limiter.wait(1, key: "\(key)") }
        #expect(limiter.keys == 100)
        clock.advance(by: .seconds(60))
        try await limiter.wait(1, key: "0")
        #expect(limiter.keys == 100)
        clock.advance(by: .seconds(60))
        try await limiter.wait(1, key: "0")
        #expect(limiter.keys == 1)
    }
}
