// SPDX-License-Identifier: Apache-2.0

import Authority
import Groundwork
import TestKit
import Testing

@Suite struct AuthorityMachineTests {
    private func authority(
        _ label: SlotLabel, _ id: String, _ status: LocalAuthority.Status, from: Int64 = 0, until: Int64 = 86_400
    ) -> LocalAuthority {
        LocalAuthority(label: label, id: id, issuedAt: from, notAfter: until, status: status)
    }

    @Test("with nothing there, the first is prepared in slot A and activated at once")
    func first() {
        var machine = AuthorityMachine()
        #expect(machine.next(now: 0) == .prepare(.a))
        let one = authority(.a, "one", .prepared)
        machine.prepared(one)
        #expect(machine.next(now: 0) == .activate(one))
        machine.activated()
        #expect(machine.active?.id == "one" && machine.active?.status == .active && machine.spare == nil)
        #expect(machine.next(now: 0) == nil)
    }

    @Test("the next is prepared after half of the lifetime, at most 30 days before the end", arguments: [
        (86_400, 43_200), (60, 30), (61, 31), (365 * 86_400, 335 * 86_400), (60 * 86_400, 30 * 86_400),
    ] as [(Int64, Int64)])
    func preparation(_ lifetime: Int64, _ due: Int64) {
        let machine = AuthorityMachine(active: authority(.a, "one", .active, until: lifetime), spare: nil)
        #expect(machine.next(now: due) == nil)
        #expect(machine.next(now: due + 1) == .prepare(.b))
    }

    @Test("the next takes over a sixth of the lifetime before the end, at most 7 days", arguments: [
        (86_400, 72_000), (60, 50), (365 * 86_400, 358 * 86_400), (42 * 86_400, 35 * 86_400),
    ] as [(Int64, Int64)])
    func activation(_ lifetime: Int64, _ due: Int64) {
        let two = authority(.b, "two", .prepared, from: due - 1, until: lifetime * 2)
        let machine = AuthorityMachine(active: authority(.a, "one", .active, until: lifetime), spare: two)
        #expect(machine.next(now: due) == nil)
        #expect(machine.next(now: due + 1) == .activate(two))
    }

    @Test("it says when it will next ask for something, and then does")
    func nextDue() throws {
        var machine = AuthorityMachine(active: authority(.a, "one", .active, until: 60), spare: nil)
        #expect(machine.nextDue(now: 0) == 31)
        #expect(machine.next(now: 30) == nil && machine.next(now: 31) == .prepare(.b))
        #expect(machine.nextDue(now: 31) == nil)
        machine.prepared(authority(.b, "two", .prepared, from: 31, until: 91))
        #expect(machine.nextDue(now: 31) == 51)
        #expect(machine.next(now: 50) == nil && machine.next(now: 51) != nil)
        machine.activated()
        #expect(machine.nextDue(now: 51) == 62)
        #expect(AuthorityMachine().nextDue(now: 0) == nil)
    }

    @Test("after a takeover the former one is old, and its slot is the next to be used")
    func takeover() {
        var machine = AuthorityMachine(
            active: authority(.a, "one", .active), spare: authority(.b, "two", .prepared, until: 200_000))
        machine.activated()
        #expect(machine.active?.id == "two" && machine.spare?.id == "one" && machine.spare?.status == .old)
        #expect(machine.preparationSlot == .a)
        machine.activated()
        #expect(machine.active?.id == "two", "an old one never takes over")
    }

    @Test("an expired successor does not take over: a new one is prepared")
    func staleSuccessor() {
        let machine = AuthorityMachine(
            active: authority(.a, "one", .active), spare: authority(.b, "two", .prepared, until: 50_000))
        #expect(machine.next(now: 80_000) == .prepare(.b))
    }

    @Test("a prepared one left by a run that ended becomes active when nothing else is usable")
    func orphan() {
        let two = authority(.b, "two", .prepared)
        #expect(AuthorityMachine(active: nil, spare: two).next(now: 10) == .activate(two))
        let old = authority(.b, "two", .old)
        #expect(AuthorityMachine(active: nil, spare: old).next(now: 10) == .prepare(.a))
    }

    @Test("requests are answered in the original's words")
    func requests() {
        func text(_ body: () throws -> Void) -> String? {
            do {
                try body()
                return nil
            } catch {
                return "\(error)"
            }
        }
        let prepared = AuthorityMachine(active: authority(.a, "one", .active), spare: authority(.b, "two", .prepared))
        let old = AuthorityMachine(active: authority(.a, "one", .active), spare: authority(.b, "two", .old))
        #expect(text { _ = try AuthorityMachine().requireActive() } == "server is initializing")
        #expect(text { _ = try prepared.checkActivation(id: "") } == "no authority ID provided")
        #expect(text { _ = try prepared.checkActivation(id: "one") } == "unexpected authority ID")
        #expect(text { _ = try prepared.checkActivation(id: "two") } == nil)
        #expect(
            text { _ = try old.checkActivation(id: "two") }
                == "only Prepared authorities can be activated: unsupported local authority status: OLD")
        #expect(text { try old.checkTaint(id: "") } == "no authority ID provided")
        #expect(text { try old.checkTaint(id: "one") } == "unable to taint current local authority")
        #expect(text { try old.checkTaint(id: "x") } == "unexpected authority ID")
        #expect(text { try old.checkTaint(id: "two") } == nil)
        #expect(text { try prepared.checkTaint(id: "two") }?.hasPrefix("only Old local authorities can be tainted: ") == true)
        #expect(text { try old.checkX509Revocation(id: "") } == "invalid authority ID: no authority ID provided")
        #expect(text { try old.checkX509Revocation(id: "one") } == "invalid authority ID: unable to use current authority")
        #expect(
            text { try prepared.checkX509Revocation(id: "two") }
                == "invalid authority ID: only Old local authority can be revoked")
        #expect(
            text { try prepared.checkJWTRevocation(id: "two", published: ["two"]) }
                == "invalid authority ID: unable to use a prepared key")
        #expect(
            text { try old.checkJWTRevocation(id: "x", published: ["two"]) }
                == "invalid authority ID: no JWT authority found with provided authority ID")
        #expect(text { try old.checkJWTRevocation(id: "x", published: ["x"]) } == nil)
    }

    @Test("whatever happens, the active key's slot is never prepared and time without a signer never lasts")
    func random() {
        for seed in UInt64(0)..<200 {
            let random = SeededRandom(seed: seed)
            var machine = AuthorityMachine()
            var now: Int64 = 0
            var made = 0
            for _ in 0..<400 {
                now += Int64(random.next() % 9000)
                while let action = machine.next(now: now) {
                    switch action {
                    case .prepare(let label):
                        #expect(label != machine.active?.label)
                        machine.replacing(label)
                        // Every fourth preparation fails after the key was replaced.
                        if random.next() % 4 == 0 { now += 10; continue }
                        made += 1
                        machine.prepared(authority(label, "\(made)", .prepared, from: now, until: now + 86_400))
                    case .activate(let authority):
                        #expect(authority.status == .prepared && authority.notAfter > now)
                        machine.activated()
                        #expect(machine.active?.id == authority.id)
                    }
                }
                #expect(machine.active != nil && machine.active?.label != machine.spare?.label)
                #expect((machine.active?.notAfter ?? 0) > now)
            }
        }
    }
}
