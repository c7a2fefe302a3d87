// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import Telemetry

/// Finds lines of an audit log. Does not verify them.
struct AuditSearch: Command {
    static let name = "audit search"
    static let synopsis = "Searches an audit log"
    private let files: Flag<[String]>
    private let spiffeID: Flag<String>
    private let serial: Flag<String>
    private let caller: Flag<String>
    private let method: Flag<String>
    private let since: Flag<String>
    private let until: Flag<String>
    private let output: Flag<OutputFormat>

    /// Fields that hold the identity an event is about.
    private static let identityFields = ["spiffe_id", "agent_id", "parent_id"]
    /// Fields that say who called.
    private static let callerFields = ["caller_id", "caller_addr", "caller_uid", "caller_path"]

    init(_ flags: FlagSet) {
        files = flags.list("file", "Path of an audit log. Can be used more than once, for logs that were rotated")
        spiffeID = flags.string("spiffeID", "", "SPIFFE ID the event is about, or was called by")
        serial = flags.string("serial", "", "Serial number of an issued certificate, decimal")
        caller = flags.string("caller", "", "Caller: SPIFFE ID, address with or without port, user ID or program")
        method = flags.string("method", "", "Name of the method, such as BatchNewX509SVID")
        since = flags.string("since", "", "Earliest time, RFC 3339")
        until = flags.string("until", "", "Time before which events happened, RFC 3339")
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        guard !files.value.isEmpty else { throw CommandFailure("a file flag must be provided") }
        let since = try Self.time(since.value, "since")
        let until = try Self.time(until.value, "until")
        var found: [JSONNode] = []
        var count = 0
        let odd = try AuditVerification.each(files.value) { line in
            guard let fields = try? JSONDecoder().decode([String: String].self, from: Data(line.event)),
                matches(fields)
            else { return }
            if since != nil || until != nil {
                guard let time = Self.date(line.time) else { return }
                if let since, time < since { return }
                if let until, time >= until { return }
            }
            count += 1
            if output.value == .pretty {
                show(line, fields, console)
            } else {
                found.append(
                    .object([
                        "seq": .int(line.number), "time": .string(line.time),
                        "event": .object(fields.mapValues { .string($0) }),
                    ]))
            }
        }
        console.show(output.value, json: .object(["events": .array(found)])) {
            console.out("Found \(count) \(count == 1 ? "event" : "events")\n")
        }
        if odd > 0 { console.err("\(odd) lines are not lines of an audit log; see audit verify\n") }
    }

    private func show(_ line: AuditLine, _ fields: [String: String], _ console: Console) {
        let method = "\(fields["service"] ?? "") \(fields["method"] ?? fields["action"] ?? "")"
        console.out("\(line.number)  \("\(line.time)  \(method)".harmless)\n")
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) where key != "service" && key != "method" {
            console.out("    \("\(key): \(value)".harmless)\n")
        }
    }

    private func matches(_ fields: [String: String]) -> Bool {
        if !spiffeID.value.isEmpty {
            let about = Self.identityFields + ["caller_id"]
            guard about.contains(where: { fields[$0] == spiffeID.value }) else { return false }
        }
        if !serial.value.isEmpty, fields["serial_num"] != serial.value { return false }
        if !method.value.isEmpty, fields["method"] != method.value { return false }
        guard !caller.value.isEmpty else { return true }
        return Self.callerFields.contains { fields[$0] == caller.value }
            || fields["caller_addr"].map { $0.hasPrefix(caller.value + ":") } ?? false
    }

    private static func time(_ text: String, _ flag: String) throws -> Date? {
        guard !text.isEmpty else { return nil }
        guard let date = date(text) else {
            throw CommandFailure("invalid value for flag -\(flag): \"\(text)\" is not a time such as 2026-11-21T01:07:16Z")
        }
        return date
    }

    /// RFC 3339, with or without fractions.
    private static func date(_ text: String) -> Date? {
        (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            ?? (try? Date(text, strategy: .iso8601))
    }
}
