// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Logging
import Testing

@testable import Telemetry

@Suite struct LogLineEncoderTests {
    /// C0, DEL, C1, a line separator and two that turn the direction of writing.
    private static let hostile = "a\u{1B}[2J\u{7F}\u{80}\u{9B}1m\u{9F}\r\n\t\0\u{2028}\u{202E}\u{200F}z"

    private func line(_ format: LogFormat, isTerminal: Bool, _ message: String, _ fields: Logger.Metadata = [:]) -> String {
        let place = LogLineEncoder.Place(function: "f()", file: "a/b.swift", line: 7)
        let line = LogLineEncoder(format, isTerminal: isTerminal)
            .line(.warning, message, fields, place: place, at: LogClock.Moment(seconds: 1_800_000_000, nanoseconds: 0))
        return String(decoding: line, as: UTF8.self)
    }

    @Test("nothing from outside steers the terminal that a log is shown on or ends its line, wherever it stands", arguments: [
        (LogFormat.standard, true), (.standard, false), (.text, true), (.text, false), (.json, true), (.json, false),
    ])
    func controls(_ format: LogFormat, _ isTerminal: Bool) {
        let hostile = Self.hostile
        let fields: Logger.Metadata = [
            "text": "\(hostile)", "list": ["\(hostile)"], "table": ["\(hostile)": "\(hostile)"], "\(hostile)": "v",
        ]
        var line = line(format, isTerminal: isTerminal, hostile, fields)
        #expect(line.removeLast() == "\n")
        for color in ["\u{1B}[33m", "\u{1B}[0m"] { line = line.replacing(color, with: "") }
        let steering = line.unicodeScalars.filter { $0.properties.generalCategory == .control || $0 == "\u{2028}" }
        #expect(steering.isEmpty, "\(line.debugDescription)")
    }

    @Test("what a terminal is spared is escaped, so that it can still be read")
    func escaped() {
        let shown = #"a\u001b[2J\u007f\u0080\u009b1m\u009f\r\n\t\u0000\u2028\u202e\u200fz"#
        let terminal = line(.standard, isTerminal: true, Self.hostile, ["key": "\u{7F}\u{9B}"])
        #expect(terminal.contains("]b.swift:7 f() \(shown) "))
        #expect(terminal.hasSuffix("\u{1B}[33mkey\u{1B}[0m=\"\\x7f\\u009b\"\n"))
        let json = line(.json, isTerminal: false, "\u{7F}\u{80}\u{9F}\u{A0}é")
        #expect(json.contains(#""msg":"\u007f\u0080\u009f"# + "\u{A0}é\""))
    }

    @Test("other text is shown as it is, in any script")
    func ordinary() {
        for text in ["Grüße, 日本語 <&>", #"C:\svc "x""#, "👩‍👩‍👧", "می‌خواهم", "עברית"] {
            #expect(line(.standard, isTerminal: true, text).contains("f() \(text) "))
        }
    }
}
