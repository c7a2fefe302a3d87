// SPDX-License-Identifier: Apache-2.0

import Foundation
import Groundwork
import Logging
import TestKit
import Testing

@testable import Telemetry

@Suite("AuditLog")
struct AuditLogTests {
    /// An audit log in a folder of its own.
    private final class World {
        let folder: String
        let clock = ManualClock()
        var places: AuditLog.Places
        var log: AuditLog?

        init() throws {
            folder = NSTemporaryDirectory() + "audit-" + UUID().uuidString
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            places = .init(log: folder + "/audit.log", directory: folder)
            try open()
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        func open() throws {
            log = nil
            log = try AuditLog(
                places, time: clock, random: SystemRandom(), logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() })
        }

        func record(_ count: Int = 1) { for _ in 0..<count { log?.record(["type": "audit", "method": "M\n\"x"]) } }

        var text: String {
            get { (try? String(contentsOfFile: places.log, encoding: .utf8)) ?? "" }
            set { try? newValue.write(toFile: places.log, atomically: false, encoding: .utf8) }
        }
        var lines: [String] {
            get { text.split(separator: "\n").map(String.init) }
            set { text = newValue.map { $0 + "\n" }.joined() }
        }

        func verify(
            _ files: [String]? = nil, state: Bool = true, limits: AuditVerification.Limits = .init()
        ) throws -> AuditReport {
            try AuditVerification.verify(
                files: files ?? [places.log], key: AuditVerification.key(file: places.key),
                state: state ? places.state : nil, limits: limits)
        }

        /// A line as whoever has no key makes one up.
        func forged(_ number: Int) -> String {
            let zeros = String(repeating: "0", count: 64)
            return "{\"seq\":\(number),\"time\":\"2026-11-21T01:07:16Z\",\"prev\":\"\(zeros)\",\"event\":{},\"mac\":\"\(zeros)\"}"
        }

        var problems: String { get throws { try verify().problems.map(\.text).joined(separator: "; ") } }
    }

    @Test("an untouched log is whole, over restarts")
    func whole() throws {
        let world = try World()
        world.record(3)
        try world.open()
        world.record(2)
        let report = try world.verify()
        #expect(report.problems.isEmpty)
        #expect(report.endWasChecked)
        #expect(report.lines == 6)
        #expect(report.first == 1 && report.last == 6)
        #expect(world.lines[0].contains(#""event":{"method":"M\n\"x","type":"audit"}"#))
    }

    @Test("changing, removing, moving, copying or inventing a line is found", arguments: [
        "changed", "removed", "first removed", "swapped", "copied", "inserted", "renumbered",
    ])
    func tampering(how: String) throws {
        let world = try World()
        world.record(6)
        var lines = world.lines
        switch how {
        case "changed": lines[2] = lines[2].replacing("audit", with: "Audit")
        case "removed": lines.remove(at: 2)
        case "first removed": lines[0] = "{}"
        case "swapped": lines.swapAt(2, 3)
        case "copied": lines.insert(lines[2], at: 5)
        case "inserted": lines.insert(lines[2].replacing("\"seq\":3", with: "\"seq\":4"), at: 3)
        default: lines[2] = lines[2].replacing("\"seq\":3", with: "\"seq\":99")
        }
        world.lines = lines
        #expect(try !world.verify().problems.isEmpty)
    }

    @Test("cutting lines off the end is found by the server's state, and by the server when it starts")
    func truncated() throws {
        let world = try World()
        world.record(5)
        world.lines = Array(world.lines.prefix(3))
        #expect(try world.problems.contains("the end is missing: lines 4 to 5"))
        #expect(try world.verify(state: false).problems.isEmpty)
        try world.open()
        world.record()
        let problems = try world.problems
        #expect(problems.contains("lines 4 to 5 are missing"))
        #expect(problems.contains("the server found lines missing when it started: 4-5"))
    }

    @Test("a log sealed with another key is not taken for this one")
    func foreignKey() throws {
        let world = try World()
        world.record(2)
        let other = try World()
        other.record(2)
        world.text = other.text
        #expect(try !world.problems.isEmpty)
    }

    @Test("the present key seals no line of the past")
    func forwardSecurity() throws {
        let world = try World()
        world.record(3)
        let stolen = try #require(try AuditStateFile.read(world.places.state))
        var forged = AuditChain(number: 1, seal: try #require(AuditLine(Array(world.lines[0].utf8)[...])).seal, key: stolen.key)
        var lines = world.lines
        lines[1] = String(decoding: forged.append(time: "2026-01-01T00:00:00Z", event: Array("{}".utf8)), as: UTF8.self)
            .replacing("\n", with: "")
        world.lines = lines
        #expect(try world.problems.contains("line 2 was changed"))
    }

    @Test("a crash in the middle of a line is recorded and is no tampering")
    func tornLine() throws {
        let world = try World()
        world.record(2)
        world.text += "{\"seq\":3,\"time\":\"20"
        #expect(try world.problems.contains("ends in the middle of a line"))
        try world.open()
        world.record()
        #expect(try world.problems == "")
        #expect(world.text.contains("\"torn_bytes\":\"19\""))
        // The same remains that nobody declared are tampering.
        world.lines = world.lines.map { $0.hasPrefix("{\"seq\":3,\"time\":\"20\"") ? $0 + " " : $0 }
        var lines = world.lines
        lines.insert("half a line", at: 1)
        world.lines = lines
        #expect(try world.problems.contains("is not a line of an audit log"))
    }

    @Test("a crash between a line and its record in the state loses nothing")
    func stateBehind() throws {
        let world = try World()
        world.record(2)
        let old = try Data(contentsOf: URL(filePath: world.places.state))
        world.record(2)
        world.log = nil
        try old.write(to: URL(filePath: world.places.state))
        try world.open()
        world.record()
        let report = try world.verify()
        #expect(report.problems.isEmpty)
        #expect(report.last == 6)
    }

    @Test("the chain goes on in a new file after the old one was moved away")
    func rotated() throws {
        let world = try World()
        world.record(3)
        let old = world.places.log + ".1"
        try FileManager.default.moveItem(atPath: world.places.log, toPath: old)
        world.record()
        try world.log?.reopen()
        world.record(2)
        let both = try world.verify([world.places.log, old])
        #expect(both.problems.isEmpty)
        #expect(both.lines == 6)
        let last = try world.verify()
        #expect(last.problems.isEmpty)
        #expect(last.first == 5)
        #expect(try !world.verify([old]).problems.isEmpty)
    }

    @Test("a log without its state is not continued, and stays as it is")
    func missingState() throws {
        let world = try World()
        world.record()
        let text = world.text
        try FileManager.default.removeItem(atPath: world.places.state)
        #expect(throws: SpireError(.failedPrecondition, "")) { try world.open() }
        #expect(world.text == text)
        try Data("swift-spire audit 1 x".utf8).write(to: URL(filePath: world.places.state))
        #expect(throws: SpireError(.io, "")) { try world.open() }
    }

    @Test("key and state are the owner's alone")
    func modes() throws {
        let world = try World()
        for path in [world.places.key, world.places.state] {
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    @Test("lines written at the same time from many tasks form one chain")
    func concurrent() async throws {
        let world = try World()
        let log = try #require(world.log)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<8 { group.addTask { for _ in 0..<50 { log.record(["n": "\(number)"]) } } }
        }
        let report = try world.verify()
        #expect(report.problems.isEmpty)
        #expect(report.lines == 400)
    }

    @Test("hostile files end in problems, not in crashes or long waits", arguments: [
        "", "\n\n\n", "{\"seq\":", "{\"seq\":9999999999999,\"time\":\"\",\"prev\":\"", "\u{0}\u{1}",
    ])
    func hostile(text: String) throws {
        let world = try World()
        world.record(1)
        world.text = text
        #expect(try !world.verify().problems.isEmpty)
    }

    private static let small = AuditVerification.Limits(largestFirst: 5000, slack: 1000)

    @Test("without the state, a log that begins beyond the limit is not calculated at, and the error says what helps")
    func farBeginning() throws {
        let world = try World()
        world.record(2)
        world.lines = [world.forged(5001)] + world.lines
        let error = #expect(throws: SpireError.self) { try world.verify([world.places.log], state: false, limits: Self.small) }
        #expect(
            error?.message == "\(world.places.log):1: the log begins with line 5001; without the server's state (-state), "
                + "numbers beyond 5000 are believed only with a larger -limit")
        // With the state it is known that there is no such line.
        #expect(try world.verify(limits: Self.small).problems.first?.text == "line 5001 is not of this log")
        #expect(try world.verify(limits: Self.small).keysCalculated < 10)
    }

    @Test("lines far ahead cost no more in their hundreds than once, in any order, with the state or without", arguments: [true, false])
    func farAhead(hasState: Bool) throws {
        let world = try World()
        world.record(3)
        var lines = world.lines
        for number in 0..<300 {
            lines.append(world.forged(1003 - number % 2))
            lines.append(world.forged(20 + number % 7))
            lines.append(world.forged(900 - number))
        }
        lines.append(world.forged(1 << 39))
        world.record(1)
        lines.append(world.lines[3])
        world.lines = lines
        let report = try world.verify(state: hasState, limits: Self.small)
        #expect(report.keysCalculated <= (hasState ? 2004 : 7000))
        #expect(report.problems.count == 901 && report.last == 4)
        #expect(report.problems.contains { $0.text == "line \(1 << 39) is not of this log" })
        #expect(report.problems.contains { $0.text.hasSuffix("was not checked: with the wrong lines so far it would take too long") })
    }

    @Test("a log checked with another log's key costs no more keys than it has lines")
    func wrongKey() throws {
        let world = try World()
        world.record(500)
        let other = try World()
        other.record(1)
        other.text = world.text
        let report = try other.verify(state: false)
        #expect(report.problems.count == 500 && report.keysCalculated < 500)
    }

    @Test("what rotation has left is whole beyond the limit too: with the state, with a larger limit, and once it has begun")
    func rotatedFar() throws {
        let world = try World()
        world.record(40)
        let all = world.lines
        world.lines = Array(all[30...])
        let tight = AuditVerification.Limits(largestFirst: 20, slack: 5)
        #expect(throws: SpireError.self) { try world.verify(state: false, limits: tight) }
        let known = try world.verify(limits: tight)
        #expect(known.problems.isEmpty && known.first == 31 && known.last == 40)
        #expect(try world.verify(state: false, limits: .init(largestFirst: 31, slack: 5)).problems.isEmpty)
        // Begun below the limit, and gone on far beyond it.
        world.lines = Array(all[10...])
        let begun = try world.verify(state: false, limits: tight)
        #expect(begun.problems.isEmpty && begun.first == 11 && begun.last == 40)
        // A file is missing in between: that is all that is wrong.
        world.lines = Array(all[10..<15]) + Array(all[25...])
        let gap = try world.verify(state: false, limits: .init(largestFirst: 20, slack: 10))
        #expect(gap.problems.map(\.text) == ["lines 16 to 25 are missing before line 26, or were changed"] && gap.last == 40)
    }
}
