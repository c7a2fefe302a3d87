// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import Groundwork
import Synchronization
import TestKit
import Testing

@testable import ServerCLI

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Recorded sessions against a server whose answers never change. `UPDATE_GOLDENS=1` records them anew: look at the
/// difference before committing it.
@Suite(.serialized) struct GoldenSessionTests {
    static let folder = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/Tests/Fixtures/cli"
    static let records = ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] == "1"

    static func session(_ name: String) throws -> GoldenSession {
        let bytes = try #require(try AtomicFile.read("\(folder)/\(name).session", limit: 1 << 20))
        return GoldenSession(String(decoding: bytes, as: UTF8.self))
    }

    @Test("commands print what was recorded", arguments: ScriptedServer.Mood.allCases)
    func commands(_ mood: ScriptedServer.Mood) async throws {
        // Agents' times are shown in the zone of the process.
        setenv("TZ", "UTC", 1)
        tzset()
        var session = try Self.session(mood.rawValue)
        try await ScriptedServer.run(mood) { server in
            for index in session.steps.indices {
                let step = session.steps[index]
                let lines = withoutKeys(await outcome(step, server).lines.map { plain($0, server) })
                if Self.records {
                    session.steps[index] = .init(command: step.command, lines: lines)
                } else {
                    #expect(lines == step.lines, "$ \(step.command)")
                }
            }
        }
        if Self.records {
            try AtomicFile.write(
                Array((session.text + "\n").utf8), to: "\(Self.folder)/\(mood.rawValue).session", mode: 0o644)
        }
    }

    /// What steers a terminal in every way, and a line that the server would like to be read.
    private static let hostile = "\u{1B}[31m\u{9B}1m\u{7F}\u{202E}\u{2028}\r\tend\nFORGED"

    @Test("nothing a server stores steers the terminal or makes lines; JSON holds it as it is", arguments: ScriptedServer.Mood.allCases)
    func hostile(_ mood: ScriptedServer.Mood) async throws {
        let steps = try Self.session(mood.rawValue).steps
        var shown = 0
        try await ScriptedServer.run(mood, spoiling: Self.hostile) { server in
            for step in steps {
                let outcome = await outcome(step, server)
                let printed: [String]
                if step.arguments.contains("json"), outcome.out.hasPrefix("{") || outcome.out.hasPrefix("[") {
                    let exact = JSONNode.string(Self.hostile).text.dropFirst().dropLast()
                    #expect(!outcome.out.contains("FORGED") || outcome.out.contains(exact), "$ \(step.command)")
                    printed = [outcome.err]
                } else {
                    printed = [outcome.out, outcome.err]
                }
                for text in printed {
                    for line in text.split(separator: "\n") {
                        #expect(!line.hasPrefix("FORGED"), "$ \(step.command)")
                    }
                    for scalar in text.unicodeScalars where scalar != "\n" && scalar != "\t" {
                        let steers = scalar.properties.generalCategory == .control || scalar.properties.isBidiControl
                        #expect(!steers && scalar != "\u{2028}", "$ \(step.command)")
                    }
                    #expect(!text.contains("\tend"), "$ \(step.command)")
                    if text.contains("FORGED") { shown += 1 }
                }
            }
        }
        #expect(shown >= (mood == .bare ? 6 : 15), "too little was shown to say anything: \(shown)")
    }

    private func outcome(_ step: GoldenSession.Step, _ server: ScriptedServer) async -> GoldenSession.Outcome {
        let captured = Mutex<(out: String, err: String)>(("", ""))
        var environment = ["SPIRE_SERVER_PRIVATE_SOCKET": server.socketPath]
        // Words before the program set its environment, as in a shell.
        var words = step.command.split(separator: " ")
        while let first = words.first, let equals = first.firstIndex(of: "=") {
            environment[String(first[..<equals])] = filled(String(first[first.index(after: equals)...]), server)
            words.removeFirst()
        }
        let arguments = GoldenSession.Step(command: words.joined(separator: " "), lines: []).arguments
        let console = Console(
            out: { text in captured.withLock { $0.out += text } }, err: { text in captured.withLock { $0.err += text } },
            environment: environment)
        let code = await ServerCommandLine.run(arguments.map { filled($0, server) }, console)
        let (out, err) = captured.withLock { $0 }
        return GoldenSession.Outcome(out: out, err: err, exitCode: code)
    }

    private func filled(_ word: String, _ server: ScriptedServer) -> String {
        word.split(separator: "@TMP@", omittingEmptySubsequences: false).joined(separator: server.folder)
            .split(separator: "@DATA@", omittingEmptySubsequences: false).joined(separator: Self.folder)
    }

    /// Paths of this run, and keys in JSON that were made in it, by their roles.
    private func plain(_ line: String, _ server: ScriptedServer) -> String {
        var line = line.split(separator: server.folder, omittingEmptySubsequences: false).joined(separator: "@TMP@")
            .split(separator: Self.folder, omittingEmptySubsequences: false).joined(separator: "@DATA@")
        for beginning in ["\"private_key\":\"{\\\"kty", "\"private_key\":\"", "{\"kty\""] {
            guard let range = line.firstRange(of: beginning) else { continue }
            // A key in JSON ends where the answer goes on, or with the line.
            let rest = line[range.upperBound...]
            let end =
                switch beginning {
                case "\"private_key\":\"": rest.firstIndex(of: "\"") ?? line.endIndex
                case "{\"kty\"": line.endIndex
                default: rest.firstRange(of: "\",\"svid\"")?.lowerBound ?? line.endIndex
                }
            line.replaceSubrange(range.upperBound..<end, with: "(a key)")
            break
        }
        return line
    }

    /// Without the insides of PEM keys.
    private func withoutKeys(_ lines: [String]) -> [String] {
        var isInside = false
        return lines.filter { line in
            if line.contains("END PRIVATE KEY") { isInside = false }
            defer { if line.contains("BEGIN PRIVATE KEY") { isInside = true } }
            return !isInside
        }
    }

    @Test("every command of the reference exists")
    func complete() {
        let names = Set(ServerCommandLine.program.commandNames)
        for name in ReferenceCommands.all { #expect(names.contains(name), "\(name)") }
    }

    @Test("every command of the reference has a recorded success in both formats, and a recorded failure")
    func covered() throws {
        var pretty: Set<String> = []
        var json: Set<String> = []
        var failed: Set<String> = []
        for mood in ScriptedServer.Mood.allCases {
            for step in try Self.session(mood.rawValue).steps {
                // A word that set the environment may have stood before the program.
                let words = step.arguments.drop { $0 == "spire-server" }.prefix { !$0.hasPrefix("-") }
                    .joined(separator: " ")
                let succeeded = step.lines.last == "exit 0"
                if !succeeded { failed.insert(words) }
                if succeeded, step.arguments.contains("json") { json.insert(words) }
                if succeeded, !step.arguments.contains("json") { pretty.insert(words) }
            }
        }
        for name in ReferenceCommands.api {
            #expect(pretty.contains(name), "no pretty output of \(name)")
            #expect(json.contains(name), "no JSON output of \(name)")
            #expect(failed.contains(name), "no failure of \(name)")
        }
    }
}
