// SPDX-License-Identifier: Apache-2.0

import CLISupport
import Telemetry

/// Checks that nothing was changed in, taken from or put into an audit log.
struct AuditVerify: Command {
    static let name = "audit verify"
    static let synopsis = "Verifies that an audit log is whole and unchanged"
    private static let largestLimit = 1 << 40
    private let files: Flag<[String]>
    private let key: Flag<String>
    private let state: Flag<String>
    private let limit: Flag<Int>
    private let output: Flag<OutputFormat>

    init(_ flags: FlagSet) {
        files = flags.list("file", "Path of an audit log. Can be used more than once, for logs that were rotated")
        key = flags.string("key", "", "Path of the log's first key, data_dir/audit-log.key unless it was moved")
        state = flags.string(
            "state", "", "Path of the server's state, data_dir/audit-log.state. Without it the end is not checked")
        limit = flags.int(
            "limit", AuditVerification.Limits().largestFirst,
            "Largest line number the log may begin with when -state is not given. All keys up to it are calculated")
        output = flags.output()
    }

    func run(_ console: Console) async throws {
        guard !files.value.isEmpty else { throw CommandFailure("a file flag must be provided") }
        guard !key.value.isEmpty else { throw CommandFailure("a key flag must be provided") }
        guard limit.value > 0, limit.value <= Self.largestLimit else {
            throw CommandFailure("invalid value for flag -limit: it must be from 1 to \(Self.largestLimit)")
        }
        let report = try AuditVerification.verify(
            files: files.value, key: AuditVerification.key(file: key.value),
            state: state.value.isEmpty ? nil : state.value, limits: .init(largestFirst: limit.value))
        console.show(output.value, json: Self.json(report)) {
            for problem in report.problems {
                let place = problem.line > 0 ? "\(problem.file):\(problem.line)" : problem.file
                console.out("\(place): \(problem.text)\n")
            }
            if report.lines > 0 {
                console.out("Checked \(report.lines) lines, \(report.first) to \(report.last).\n")
            } else {
                console.out("There are no lines.\n")
            }
            if report.lines > 0, report.first > 1 {
                console.out("Lines before \(report.first) are in earlier files, which were not given.\n")
            }
            if !report.endWasChecked {
                console.out("Whether lines are missing at the end was not checked: give the server's state.\n")
            }
        }
        guard report.problems.isEmpty else {
            throw CommandFailure("the audit log was tampered with or damaged: \(report.problems.count) problems")
        }
    }

    private static func json(_ report: AuditReport) -> JSONNode {
        .object([
            "lines": .int(report.lines), "first": .int(report.first), "last": .int(report.last),
            "end_checked": .bool(report.endWasChecked),
            "problems": .array(
                report.problems.map { problem in
                    .object([
                        "file": .string(problem.file), "line": .int(problem.line), "text": .string(problem.text),
                    ])
                }),
        ])
    }
}
