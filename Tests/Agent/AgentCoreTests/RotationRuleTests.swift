// SPDX-License-Identifier: Apache-2.0

import AgentCore
import FoundationEssentials
import Groundwork
import TestKit
import Testing

struct RotationRuleTests {
    private func dueTimes(_ rule: RotationRule, left: Double, lifetime: Double) -> Int {
        let random = SeededRandom()
        let end = epoch.addingTimeInterval(left)
        return (0..<1000).count { _ in
            rule.isDue(notBefore: end.addingTimeInterval(-lifetime), notAfter: end, now: epoch, random: random)
        }
    }

    @Test("a certificate is renewed between 55 % and 45 % of its remaining lifetime, never before, always after")
    func halfLife() {
        let rule = RotationRule()
        #expect(dueTimes(rule, left: 56, lifetime: 100) == 0)
        #expect(dueTimes(rule, left: 44, lifetime: 100) == 1000)
        let between = dueTimes(rule, left: 50, lifetime: 100)
        #expect(between > 300 && between < 700)
    }

    @Test("an expired certificate is always due")
    func expired() {
        #expect(dueTimes(RotationRule(), left: 0, lifetime: 100) == 1000)
        #expect(dueTimes(RotationRule(), left: -5, lifetime: 100) == 1000)
    }

    @Test("an availability target renews that long before the end, when the lifetime allows it")
    func target() {
        let rule = RotationRule(availabilityTarget: .seconds(24 * 3600))
        let day = 24.0 * 3600
        #expect(dueTimes(rule, left: day - 1, lifetime: 2 * day) == 1000)
        #expect(dueTimes(rule, left: 1.2 * day, lifetime: 2 * day) == 0)
        #expect(rule.usesTarget(lifetime: 2 * day))
        #expect(!rule.usesTarget(lifetime: 1.5 * day))
        #expect(dueTimes(rule, left: day - 1, lifetime: 1.4 * day) == 0)
    }
}

struct SyncScheduleTests {
    private let random = SeededRandom()

    @Test("the first synchronisation comes after the interval, five seconds at most")
    func first() {
        let schedule = SyncSchedule(interval: .seconds(60), now: .zero, random: random)
        #expect(schedule.turn(now: .zero) == .wait(.seconds(5)))
        #expect(schedule.turn(now: .seconds(5)) == .synchronize)
    }

    @Test("after a success it waits the interval give or take a tenth; failures wait ever longer, up to four minutes")
    func backoff() {
        var schedule = SyncSchedule(interval: .seconds(5), now: .zero, random: random)
        schedule.synchronized(now: .zero, succeeded: true, cachedSVIDs: 1, random: random)
        guard case .wait(let first) = schedule.turn(now: .zero) else { return #expect(Bool(false)) }
        #expect(first >= .seconds(4.5) && first <= .seconds(5.5))
        var longest: Duration = .zero
        for _ in 0..<20 {
            schedule.synchronized(now: .zero, succeeded: false, cachedSVIDs: 1, random: random)
            if case .wait(let wait) = schedule.turn(now: .zero) { longest = max(longest, wait) }
        }
        #expect(longest > .seconds(200) && longest <= .seconds(264))
        schedule.synchronized(now: .zero, succeeded: true, cachedSVIDs: 1, random: random)
        guard case .wait(let after) = schedule.turn(now: .zero) else { return #expect(Bool(false)) }
        #expect(after <= .seconds(5.5))
    }

    @Test("a subscriber that waits is signed for at once, and after a failure not before the back-off has passed")
    func signing() {
        var schedule = SyncSchedule(interval: .seconds(5), now: .zero, random: random)
        schedule.signingWanted()
        #expect(schedule.turn(now: .zero) == .sign)
        schedule.signed(now: .zero, succeeded: false, random: random)
        guard case .wait(let wait) = schedule.turn(now: .zero) else { return #expect(Bool(false)) }
        #expect(wait >= .milliseconds(450) && wait <= .milliseconds(550))
        #expect(schedule.turn(now: .milliseconds(600)) == .sign)
        schedule.signed(now: .milliseconds(600), succeeded: true, random: random)
        guard case .wait = schedule.turn(now: .milliseconds(600)) else { return #expect(Bool(false)) }
    }

    @Test("with a long interval and nothing cached the agent still looks after five seconds")
    func eager() {
        var schedule = SyncSchedule(interval: .seconds(60), now: .zero, random: random)
        schedule.synchronized(now: .zero, succeeded: true, cachedSVIDs: 0, random: random)
        #expect(schedule.turn(now: .zero) == .wait(.seconds(5)))
    }
}

struct RetryBudgetTests {
    @Test("attempts stop when the next one would begin after the limit")
    func limit() {
        var budget = RetryBudget(limit: .seconds(60), now: .zero)
        var now: Duration = .zero
        var waits = 0
        while let wait = budget.next(now: now, random: SeededRandom()) {
            now += wait
            waits += 1
        }
        #expect(waits >= 4 && waits <= 5)
        #expect(now <= .seconds(60))
    }
}

struct BatchSizerTests {
    @Test("a failure halves the batch, down to one; a success doubles it, up to 500")
    func sizes() {
        var sizer = BatchSizer()
        #expect(sizer.size == 500)
        for _ in 0..<12 { sizer.failed() }
        #expect(sizer.size == 1)
        for _ in 0..<12 { sizer.succeeded() }
        #expect(sizer.size == 500)
    }
}

struct SVIDDecisionTests {
    private let leaf: (spki: [UInt8], notAfter: Date) = ([1], epoch.addingTimeInterval(100))

    @Test("a stored SVID is used again only while it is valid and a key for it is there")
    func reuse() {
        #expect(
            SVIDDecision.decide(leaf: leaf, keys: [("agent-svid-B", [1])], now: epoch) == .reuse(keyID: "agent-svid-B"))
        #expect(
            SVIDDecision.decide(leaf: leaf, keys: [("agent-svid-A", [1])], now: epoch.addingTimeInterval(99))
                == .attest(.expired))
        #expect(SVIDDecision.decide(leaf: leaf, keys: [], now: epoch) == .attest(.noKeys))
        #expect(SVIDDecision.decide(leaf: leaf, keys: [("agent-svid-A", [2])], now: epoch) == .attest(.noMatchingKey))
        #expect(SVIDDecision.decide(leaf: nil, keys: [("agent-svid-A", [2])], now: epoch) == .attest(.keysWithoutSVID))
        #expect(SVIDDecision.decide(leaf: nil, keys: [], now: epoch) == .attest(.nothing))
    }

    @Test("the key's slot alternates between A and B")
    func slots() {
        #expect(KeySlot.next(after: nil) == .a)
        #expect(KeySlot.next(after: "agent-svid-A") == .b)
        #expect(KeySlot.next(after: "agent-svid-B") == .a)
    }
}

struct GoDurationTests {
    @Test(
        "durations read as Go prints them",
        arguments: [
            (Duration.zero, "0s"), (.nanoseconds(5), "5ns"), (.microseconds(1500), "1.5ms"), (.milliseconds(5250), "5.25s"),
            (.seconds(90), "1m30s"), (.seconds(3600), "1h0m0s"),
        ])
    func text(_ duration: Duration, _ text: String) {
        #expect(GoDuration.text(duration) == text)
    }
}

struct RebootstrapTests {
    @Test("an agent starts over only when it may, and only after the delay")
    func steps() {
        let never = Rebootstrap()
        #expect(never.step(since: nil, now: epoch) == .fail)
        let always = Rebootstrap(mode: .always, delay: .seconds(600))
        #expect(always.step(since: nil, now: epoch) == .ignore(timeLeft: .seconds(600)))
        #expect(always.step(since: epoch, now: epoch.addingTimeInterval(100)) == .ignore(timeLeft: .seconds(500)))
        #expect(always.step(since: epoch, now: epoch.addingTimeInterval(600)) == .startOver)
    }

    @Test("an attestation that cannot be repeated forbids mode always and turns auto into never")
    func compatibility() throws {
        #expect(throws: SpireError.self) { try Rebootstrap(mode: .always).checked(canReattest: false) }
        let (rule, warning) = try Rebootstrap(mode: .auto).checked(canReattest: false)
        #expect(rule.mode == .never && warning != nil)
        #expect(try Rebootstrap(mode: .always).checked(canReattest: true).rule.mode == .always)
    }
}
