// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import CLISupport

@Suite struct HarmlessTests {
    @Test("ordinary text stays as it is, in any script, with backslashes, quotes and joiners")
    func ordinary() {
        for text in ["", "internal <&>", #"C:\svc \n"#, "Grüße", "日本語", "👩‍👩‍👧", "می‌خواهم", "עברית"] {
            #expect(text.harmless == text && text.harmlessLines == text)
        }
    }

    @Test("what steers a terminal or the direction of writing is escaped, and so is every end of a line")
    func escaped() {
        let cases: [(String, String)] = [
            ("a\u{1B}[31mred", #"a\u001b[31mred"#), ("\0\u{7}\u{8}", #"\u0000\u0007\u0008"#), ("\u{7F}", #"\u007f"#),
            ("\u{9B}1m\u{85}", #"\u009b1m\u0085"#), ("\u{2028}\u{2029}", #"\u2028\u2029"#),
            ("a\u{202E}b\u{2066}c\u{200F}\u{61C}", #"a\u202eb\u2066c\u200f\u061c"#), ("a\r\nb\tc", #"a\r\nb\tc"#),
        ]
        for (text, expected) in cases { #expect(text.harmless == expected) }
        #expect("a\r\n\tb\u{1B}".harmlessLines == "a\\r\n\tb\\u001b")
    }

    @Test("a console prints nothing that steers a terminal, and JSON as it is")
    func console() {
        let printed = Mutex<[String]>([])
        let console = Console(
            out: { text in printed.withLock { $0.append(text) } }, err: { text in printed.withLock { $0.append(text) } })
        console.out("a\u{1B}[2J\n")
        console.err("b\u{9B}2J\n")
        console.show(.json, json: .string("c\u{7F}\u{202E}")) {}
        #expect(printed.withLock { $0 } == ["a\\u001b[2J\n", "b\\u009b2J\n", "\"c\u{7F}\u{202E}\"\n"])
    }

    @Test("quoted text has nothing in it that is not printed")
    func quoted() {
        #expect(GoText.quoted("a\u{1B}\u{9B}\u{202E}é\u{E0001}\n") == #""a\x1b\u009b\u202eé\U000e0001\n""#)
    }
}
