// SPDX-License-Identifier: Apache-2.0

import SPIFFE
import Testing

@testable import Federation

@Suite struct RefreshScheduleTests {
    func endpoint(_ name: String, _ path: String = "") throws -> FederatedEndpoint {
        FederatedEndpoint(trustDomain: try TrustDomain(name), url: "https://\(name)/\(path)", profile: .httpsWeb)
    }

    func configuration(_ endpoints: [FederatedEndpoint]) -> [TrustDomain: FederatedEndpoint] {
        Dictionary(uniqueKeysWithValues: endpoints.map { ($0.trustDomain, $0) })
    }

    @Test("a new endpoint is due at once, then when its poll says")
    func polls() throws {
        var schedule = RefreshSchedule()
        let a = try endpoint("a.org")
        #expect(schedule.configure(configuration([a]), now: .seconds(5)) == [.added(a)])
        let begun = schedule.begin(now: .seconds(5))
        #expect(begun.map(\.endpoint) == [a])
        #expect(schedule.nextDue == nil)
        #expect(schedule.begin(now: .seconds(500)).isEmpty, "one poll at a time")
        let counted1 = schedule.finish(a.trustDomain, round: begun[0].round, next: .seconds(80))
        #expect(counted1)
        #expect(schedule.nextDue == .seconds(80))
        #expect(schedule.begin(now: .seconds(79)).isEmpty)
        #expect(schedule.begin(now: .seconds(80)).count == 1)
    }

    @Test("a changed endpoint is polled anew, and the end of the poll before says nothing")
    func change() throws {
        var schedule = RefreshSchedule()
        let before = try endpoint("a.org")
        let after = try endpoint("a.org", "new")
        _ = schedule.configure(configuration([before]), now: .zero)
        let begun = schedule.begin(now: .zero)
        #expect(schedule.configure(configuration([after]), now: .seconds(1)) == [.updated(after)])
        let counted2 = schedule.finish(before.trustDomain, round: begun[0].round, next: .seconds(900))
        #expect(!counted2)
        #expect(schedule.begin(now: .seconds(1)).map(\.endpoint) == [after])
    }

    @Test("an endpoint that is gone is forgotten, also while it is polled")
    func removal() throws {
        var schedule = RefreshSchedule()
        let a = try endpoint("a.org")
        _ = schedule.configure(configuration([a]), now: .zero)
        let begun = schedule.begin(now: .zero)
        #expect(schedule.configure([:], now: .zero) == [.removed(a.trustDomain)])
        let counted3 = schedule.finish(a.trustDomain, round: begun[0].round, next: .zero)
        #expect(!counted3)
        #expect(schedule.nextDue == nil)
    }

    @Test("no more polls begin than there is room for; the others stay due")
    func width() throws {
        var schedule = RefreshSchedule()
        _ = schedule.configure(configuration(try ["a.org", "b.org", "c.org"].map { try endpoint($0) }), now: .zero)
        #expect(schedule.begin(now: .zero, limit: 2).count == 2)
        #expect(schedule.nextDue == .zero)
    }

    @Test("a refresh out of turn moves the next poll, unless one is under way")
    func outOfTurn() throws {
        var schedule = RefreshSchedule()
        let a = try endpoint("a.org")
        _ = schedule.configure(configuration([a]), now: .zero)
        schedule.postpone(a.trustDomain, to: .seconds(75))
        #expect(schedule.nextDue == .seconds(75))
        let begun = schedule.begin(now: .seconds(75))
        schedule.postpone(a.trustDomain, to: .seconds(900))
        let counted4 = schedule.finish(a.trustDomain, round: begun[0].round, next: .seconds(90))
        #expect(counted4)
        #expect(schedule.nextDue == .seconds(90))
    }

    @Test("the pause is a quarter of the hint, which counts for a minute at least", arguments: [
        (Duration.seconds(600), Duration.seconds(150)), (.seconds(10), .seconds(15)), (.zero, .seconds(900)),
    ])
    func pause(_ hint: Duration, _ expected: Duration) {
        #expect(RefreshInterval.after(hint: hint, lifetimes: [86_400, 36_000]) == expected)
        #expect(RefreshInterval.after(hint: nil, lifetimes: []) == .seconds(300))
        #expect(RefreshInterval.after(hint: .zero, lifetimes: []) == .seconds(15))
    }
}
