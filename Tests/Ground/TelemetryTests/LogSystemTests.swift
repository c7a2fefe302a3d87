// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import HCL
import Logging
import Telemetry
import Testing

@Suite struct LogSystemTests {
    /// A log in a temporary file.
    private final class Scratch {
        let path = FileManager.default.temporaryDirectory.path + "/telemetry-\(UInt64.random(in: .min ... .max)).log"
        deinit { try? FileManager.default.removeItem(atPath: path) }
        var lines: [String] { Self.lines(path) }
        static func lines(_ path: String) -> [String] {
            let data = FileManager.default.contents(atPath: path) ?? Data()
            return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }

    private let scratch = Scratch()

    private func system(_ format: LogFormat, level: LogLevel = .info, source: Bool = false) throws -> LogSystem {
        try LogSystem(LogSettings(level: level, format: format, file: scratch.path, includesSourceLocation: source))
    }

    /// A line without its time.
    private func body(_ line: String?) -> String {
        guard let line, let end = line.firstRange(of: "\" level=") else { return line ?? "" }
        return String(line[end.upperBound...])
    }

    @Test("text lines have time, level, message, then fields by name, quoted only where needed")
    func text() throws {
        let log = try system(.standard).logger(subsystem: "ca_manager")
        log.warning("X509 CA prepared", metadata: [
            "slot": "A", "upstream_authority_id": "", "self_signed": .stringConvertible(true),
            "spiffe_id": "spiffe://example.org/a", "quote": "say \"hi\"\n\u{1B}é\u{200B}", "path": "a/b.c_d-e@f^g+h",
        ])
        log.info("Configured", metadata: ["admin_ids": .array([]), "level": "mine"])
        #expect(
            scratch.lines.map(body) == [
                #"warning msg="X509 CA prepared" path=a/b.c_d-e@f^g+h quote="say \"hi\"\n\x1bé\u200b""#
                    + #" self_signed=true slot=A spiffe_id="spiffe://example.org/a" subsystem_name=ca_manager upstream_authority_id="#,
                #"info msg=Configured admin_ids="[]" fields.level=mine subsystem_name=ca_manager"#,
            ])
    }

    @Test("times are RFC 3339, in whole seconds by default and with nanoseconds in the explicit formats")
    func times() throws {
        try system(.standard).logger.info("a")
        try system(.text).logger.info("b")
        try system(.json).logger.info("c")
        let zone = #"(Z|[+-]\d\d:\d\d)"#
        let second = #"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"#
        let patterns = [
            "^time=\"\(second)\(zone)\" level=info msg=a$",
            "^time=\"\(second)(\\.\\d{1,9})?\(zone)\" level=info msg=b$",
            "^\\{\"level\":\"info\",\"msg\":\"c\",\"time\":\"\(second)(\\.\\d{1,9})?\(zone)\"\\}$",
        ]
        for (line, pattern) in zip(scratch.lines, patterns) {
            #expect(try Regex(pattern).wholeMatch(in: line) != nil, "\(line)")
        }
        #expect(scratch.lines.count == 3)
    }

    @Test("JSON lines sort all keys, keep numbers and booleans, and escape texts")
    func json() throws {
        try system(.json).logger(subsystem: "s").error("a <b>", metadata: [
            "port": .stringConvertible(24679), "external": .stringConvertible(false), "text": "x\"\u{1}\u{2028}",
            "ids": ["a", "b"], "zone": ["k": "v"],
        ])
        let line = try #require(scratch.lines.first)
        let start = #"{"external":false,"ids":["a","b"],"level":"error","msg":"a \u003cb\u003e","port":24679,"#
        #expect(line.hasPrefix(start + #""subsystem_name":"s","text":"x\"\u0001\u2028","time":""#), "\(line)")
        #expect(line.hasSuffix(#"","zone":{"k":"v"}}"#))
    }

    @Test("dates among the fields read as SPIRE writes them")
    func dates() throws {
        let log = try system(.standard)
        log.logger.info("a", metadata: ["expiration": .stringConvertible(Date(timeIntervalSince1970: 1_795_309_636))])
        let line = try #require(scratch.lines.first)
        let pattern = #"expiration="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} (UTC|[+-]\d{4})""#
        #expect(try Regex(pattern).firstMatch(in: line) != nil, "\(line)")
    }

    @Test("the level changes for every logger while they are in use, and names are SPIRE's")
    func levels() throws {
        let system = try system(.standard, level: .warning)
        let log = system.logger(subsystem: "x")
        log.info("hidden")
        system.level = .trace
        log.trace("seen")
        system.level = .error
        log.warning("hidden")
        log.critical("seen")
        #expect(scratch.lines.map(body) == ["trace msg=seen subsystem_name=x", "fatal msg=seen subsystem_name=x"])
        #expect(LogLevel("WARN")?.name == "warning")
        #expect(LogLevel("loud") == nil)
        #expect(system.settings.level == .warning)
    }

    @Test("reopening writes to a new file under the old name after the old one was moved away")
    func reopening() throws {
        let system = try system(.standard)
        system.logger.info("before")
        let moved = scratch.path + ".1"
        try FileManager.default.moveItem(atPath: scratch.path, toPath: moved)
        defer { try? FileManager.default.removeItem(atPath: moved) }
        system.logger.info("still-old")
        try system.reopen()
        system.logger.info("after")
        #expect(Scratch.lines(moved).map(body) == ["info msg=before", "info msg=still-old"])
        #expect(scratch.lines.map(body) == ["info msg=after"])
    }

    @Test("a log file that cannot be opened is named with the reason")
    func unopenable() {
        #expect {
            try LogSystem(LogSettings(file: "/nonexistent/x.log"))
        } throws: { error in
            "\(error)"
                == "could not start logger: unable to open log file: open /nonexistent/x.log: No such file or directory"
        }
    }

    @Test("source locations name file, line and function")
    func sourceLocations() throws {
        try system(.standard, source: true).logger.info("a")
        let pattern = #"info msg=a func="sourceLocations\(\)" file="LogSystemTests.swift:\d+""#
        #expect(try Regex(pattern).wholeMatch(in: body(scratch.lines.first)) != nil, "\(scratch.lines)")
    }

    @Test("lines written at the same time from many tasks stay whole")
    func concurrency() async throws {
        let log = try system(.json).logger
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for _ in 0..<100 { log.info("m", metadata: ["n": .stringConvertible(number)]) }
                }
            }
        }
        #expect(scratch.lines.count == 800)
        #expect(scratch.lines.allSatisfy { $0.hasPrefix("{\"level\"") && $0.hasSuffix("\"}") })
    }

    @Test("a record that a configuration asks for is written with its fields")
    func notices() throws {
        let fields = ["section": "server", "keys": "a,b"]
        let notice = ConfigNotice(.error, "Unknown configuration detected", fields: fields)
        notice.log(to: try system(.standard).logger)
        #expect(scratch.lines.map(body) == [#"error msg="Unknown configuration detected" keys="a,b" section=server"#])
    }
}
