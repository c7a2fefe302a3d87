// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import RPC

@Suite("What peers may do")
struct AllowanceTests {
    @Test("frames we send and passing time refill the allowance, a flood empties it")
    func allowance() {
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var allowance = PeerAllowance(capacity: 10, perSecond: 100, now: now)
        for _ in 0..<10 { #expect(allowance.spend(now: now) == true) }
        #expect(allowance.spend(now: now) == false)
        allowance = PeerAllowance(capacity: 10, perSecond: 100, now: now)
        for _ in 0..<1000 {
            now = now + .milliseconds(10)
            #expect(allowance.spend(now: now) == true)
        }
        for _ in 0..<1000 {
            allowance.earn()
            #expect(allowance.spend(now: now) == true)
        }
    }

    @Test("a stream's window is refilled once half of it is used and nothing waits")
    func window() {
        let target = InboundWindow.target
        #expect(InboundWindow.increment(window: target, waiting: 0, missing: 0) == 0)
        #expect(InboundWindow.increment(window: target / 2, waiting: 0, missing: 0) == target - target / 2)
        #expect(InboundWindow.increment(window: 100, waiting: target - 100, missing: 0) == 0)
        #expect(InboundWindow.increment(window: 100, waiting: 0, missing: 5_000_000) == 4_999_900)
    }

    @Test("large messages take turns within the budget, and each is let in whole")
    func budget() {
        var budget = AssemblyBudget<Int>(capacity: 10)
        #expect(budget.reserve(1, 6) == true)
        #expect(budget.reserve(2, 6) == false)
        #expect(budget.reserve(3, 2) == false, "first come, first served")
        #expect(budget.release(1) == [2, 3])
        #expect(budget.isGranted(3))
        #expect(budget.release(3) == [])
        #expect(budget.release(2) == [])
        #expect(budget.isIdle)
        #expect(budget.reserve(4, 1000) == true, "a message above the capacity is let in alone")
        #expect(budget.reserve(5, 1) == false)
        #expect(budget.release(5) == [])
        #expect(budget.release(4) == [])
        #expect(budget.isIdle)
    }
}

@Suite("One call's course")
struct ServerCallMachineTests {
    @Test("a single request starts the handler once")
    func single() {
        var call = ServerCallMachine(isSingleRequest: true)
        #expect(call.message() == .start)
        if case .violation = call.message() { return }
        Issue.record("a second request was accepted")
    }

    @Test("half-closing without a request, or within one, is an error")
    func noRequest() {
        var call = ServerCallMachine(isSingleRequest: true)
        #expect(call.endRequest(betweenMessages: true) != nil)
        call = ServerCallMachine(isSingleRequest: false)
        call.startStreaming()
        #expect(call.endRequest(betweenMessages: false) == "unexpected EOF")
    }

    @Test("headers go out once, and nothing after the end")
    func response() {
        var call = ServerCallMachine(isSingleRequest: true)
        #expect(call.beginResponse() == true)
        #expect(call.beginResponse() == false)
        #expect(call.end() == .trailers)
        #expect(call.end() == .nothing)
        #expect(call.beginResponse() == nil)
    }

    @Test("a failure before any message is trailers only")
    func trailersOnly() {
        var call = ServerCallMachine(isSingleRequest: true)
        #expect(call.end() == .trailersOnly)
        #expect(call.message() == .drop)
    }

    @Test("a stream closed under a running handler cancels it, once")
    func closed() {
        var call = ServerCallMachine(isSingleRequest: true)
        _ = call.message()
        #expect(call.close() == true)
        #expect(call.close() == false)
        #expect(call.end() == .nothing)
        call = ServerCallMachine(isSingleRequest: true)
        _ = call.message()
        call.handlerReturned()
        #expect(call.close() == false)
    }
}
