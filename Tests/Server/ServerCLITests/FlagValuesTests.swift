// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import CLISupport
@testable import ServerCLI

/// Every flag of every command, given what it does not take.
@Suite struct FlagValuesTests {
    private func run(_ words: [String]) async -> (code: Int32, out: String, err: String) {
        let said = Mutex<(out: String, err: String)>(("", ""))
        let console = Console(
            out: { text in said.withLock { $0.out += text } }, err: { text in said.withLock { $0.err += text } },
            environment: ["SPIRE_SERVER_FFLAGS": "wit-svid"])
        let code = await ServerCommandLine.run(words, console)
        return said.withLock { (code, $0.out, $0.err) }
    }

    @Test(
        "a flag that is unknown, has no value or one of the wrong type ends the command, which names it",
        arguments: ServerCommandLine.program.commandNames)
    func wrong(command: String) async throws {
        let type = try #require(ServerCommandLine.program.commands[command])
        let flags = FlagSet(type.usageName)
        _ = type.init(flags)
        var tries = [(["-no-such-flag"], "flag provided but not defined: -no-such-flag"), (["---x"], "bad flag syntax: ---x")]
        for flag in flags.described {
            if flag.isBool {
                for text in ["", "nonsense", "2"] {
                    tries.append(
                        (["-\(flag.name)=\(text)"], "invalid boolean value \"\(text)\" for -\(flag.name): parse error"))
                }
                continue
            }
            tries.append((["-\(flag.name)"], "flag needs an argument: -\(flag.name)"))
            guard flag.kind == "int" || flag.kind == "duration" else { continue }
            for text in ["", "nonsense", "1x", "99999999999999999999", "\u{1b}[31m", String(repeating: "9", count: 100_000)] {
                tries.append((["-\(flag.name)", text], "invalid value \(GoText.quoted(text)) for flag -\(flag.name): "))
            }
        }
        for (words, expected) in tries {
            let (code, out, err) = await run(command.split(separator: " ").map(String.init) + words)
            #expect(code == 1, "\(words[0])")
            #expect(err.hasPrefix(expected), "\(words[0]): \(err.prefix(200))")
            #expect(out.isEmpty, "\(words[0])")
        }
    }

    @Test(
        "a flag that takes a SPIFFE ID says which one it is when it gets another text",
        arguments: [
            ("agent show", "spiffeID", [String]()), ("agent ban", "spiffeID", []), ("agent evict", "spiffeID", []),
            ("token generate", "spiffeID", []), ("x509 mint", "spiffeID", []), ("jwt mint", "spiffeID", ["-audience", "a"]),
            ("entry create", "spiffeID", ["-parentID", "spiffe://example.org/n", "-selector", "a:b"]),
            ("entry create", "parentID", ["-spiffeID", "spiffe://example.org/w", "-selector", "a:b"]),
            (
                "entry update", "parentID",
                ["-entryID", "e", "-spiffeID", "spiffe://example.org/w", "-selector", "a:b"]
            ),
        ])
    func identities(command: String, flag: String, more: [String]) async {
        for (text, reason) in [
            ("nonsense", "scheme is missing or invalid"), ("spiffe://Example.org/a", "trust domain characters are limited"),
            ("spiffe://example.org/a/", "path cannot have a trailing slash"), ("a\u{1b}[31m", "scheme is missing"),
        ] {
            let (code, out, err) = await run(command.split(separator: " ").map(String.init) + ["-\(flag)", text] + more)
            #expect(code == 1 && out.isEmpty)
            #expect(err.hasPrefix("Error: invalid value \(GoText.quoted(text)) for flag -\(flag): \(reason)"), "\(err)")
            #expect(!err.contains("\u{1b}"), "a terminal was written to")
        }
    }
}
