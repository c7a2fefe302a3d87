// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import TestKit
import Testing

struct SecretTests {
    private struct Holder {
        let name = "holder"
        let secret = Secret("hunter2")
    }

    @Test("no way of printing shows what is in it")
    func hidden() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(Holder(), to: &dumped)
        for text in ["\(secret)", String(describing: secret), String(reflecting: secret), "\(Holder())", dumped] {
            #expect(!text.contains("hunter2"))
        }
        #expect(secret.reveal { $0 } == "hunter2")
    }
}

struct SpireErrorTests {
    @Test("context is put before the message, the code stays, and equality is of codes")
    func context() {
        let error = SpireError(.notFound, "no such entry").while("deleting")
        #expect("\(error)" == "deleting: no such entry")
        #expect(error.code.wire == .notFound)
        #expect(error == SpireError(.notFound, "something else"))
        #expect(error != SpireError(.io, "deleting: no such entry"))
    }

    @Test("the cause is told once")
    func cause() {
        let cause = SpireError(.io, "disk full")
        #expect("\(SpireError(.internal, "cannot store", cause: cause))" == "cannot store: disk full")
        #expect("\(SpireError(.internal, "cannot store: disk full", cause: cause))" == "cannot store: disk full")
    }

    @Test("where it came from is for logs, not for callers")
    func origin() {
        let error = SpireError(.invalid, "bad")
        #expect(error.origin.hasPrefix("GroundworkTests/SmallTypesTests.swift:"))
        #expect(!"\(error)".contains("SmallTypes"))
    }

    @Test("statuses have gRPC's numbers")
    func numbers() {
        #expect(WireStatus.allCases.map(\.rawValue) == Array(0...16))
        #expect(WireStatus.permissionDenied.rawValue == 7 && WireStatus.unavailable.rawValue == 14)
    }
}

struct RandomSourceTests {
    @Test("UUIDs are version 4 in lower case, and all different")
    func uuids() throws {
        var seen = Set<String>()
        for _ in 0..<2000 {
            let uuid = SystemRandom().uuid()
            let bytes = Array(uuid.utf8)
            #expect(bytes.count == 36 && bytes[14] == UInt8(ascii: "4") && "89ab".utf8.contains(bytes[19]))
            #expect(UUID(uuidString: uuid)?.uuidString.lowercased() == uuid)
            seen.insert(uuid)
        }
        #expect(seen.count == 2000)
    }

    @Test("UUIDs that begin alike share five digits, and differ in all the others")
    func siblings() throws {
        let first = SystemRandom().next()
        let uuids = (0..<2000).map { _ in SystemRandom().uuid(beginningAs: first) }
        #expect(Set(uuids).count == 2000 && Set(uuids.map { $0.prefix(5) }).count == 1)
        for uuid in uuids {
            let bytes = Array(uuid.utf8)
            #expect(bytes.count == 36 && bytes[14] == UInt8(ascii: "4") && "89ab".utf8.contains(bytes[19]))
            #expect(UUID(uuidString: uuid)?.uuidString.lowercased() == uuid)
        }
        for place in 5..<36 where ![8, 13, 14, 18, 19, 23].contains(place) {
            #expect(Set(uuids.map { Array($0.utf8)[place] }).count == 16, "digit \(place)")
        }
        #expect(SystemRandom().uuid(beginningAs: ~first).prefix(5) != uuids[0].prefix(5))
    }

    @Test("as many bytes as asked for", arguments: [0, 1, 7, 8, 9, 32, 1000])
    func bytes(_ count: Int) { #expect(SystemRandom().bytes(count).count == count) }

    @Test("units lie in 0..<1 and spread evenly")
    func units() {
        let random = SeededRandom()
        var buckets = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 {
            let unit = random.unit()
            #expect((0..<1).contains(unit))
            buckets[Int(unit * 10)] += 1
        }
        #expect(buckets.allSatisfy { (850...1150).contains($0) })
    }
}

struct TimeSourceTests {
    @Test("a wait of nothing does not wait, yet notices cancellation")
    func nothing() async throws {
        try await SystemTime().sleep(for: .zero)
        try await SystemTime().sleep(until: Date(timeIntervalSince1970: 0))
        await withTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask {
                await #expect(throws: CancellationError.self) { try await SystemTime().sleep(for: .zero) }
                await #expect(throws: CancellationError.self) { try await SystemTime().sleep(for: .seconds(3600)) }
            }
        }
    }

    @Test("uptime never goes backwards")
    func uptime() {
        let time = SystemTime()
        var last = time.uptime
        for _ in 0..<1000 {
            let now = time.uptime
            #expect(now >= last)
            last = now
        }
    }

    @Test("spans become seconds with fractions")
    func seconds() {
        #expect(Duration.milliseconds(1500).inSeconds == 1.5)
        #expect(Duration.zero.inSeconds == 0)
        #expect(Duration.seconds(-2).inSeconds == -2)
    }

    @Test("the tests' clock wakes sleepers in order, and a step of the wall clock wakes nobody")
    func manual() async throws {
        let clock = ManualClock()
        let woken = Watch<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for seconds in [30, 10, 20] {
                group.addTask {
                    try await clock.sleep(for: .seconds(seconds))
                    woken.update { $0.append(seconds) }
                }
            }
            #expect(await clock.sleepers(3) == .seconds(10))
            let before = clock.now
            clock.step(by: .seconds(3600))
            #expect(clock.now == before.addingTimeInterval(3600))
            #expect(await clock.sleepers(3) == .seconds(10))
            clock.advance(by: .seconds(10))
            for await seen in woken.changes() where !seen.isEmpty {
                #expect(seen == [10])
                break
            }
            clock.advance(by: .seconds(20))
            try await group.waitForAll()
        }
        #expect(Set(woken.value) == [10, 20, 30])
    }
}
