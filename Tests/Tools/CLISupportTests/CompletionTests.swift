// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Synchronization
import Testing

@testable import CLISupport

private struct OneCommand: Command {
    static let name = "thing show"
    static let synopsis = "Shows a thing"
    init(_ flags: FlagSet) {
        _ = flags.output()
        _ = flags.string("name", "it's", "Name of the thing.\nTwo lines")
        _ = flags.bool("all", "Everything")
    }
    func run(_ console: Console) async throws { console.out("shown\n") }
}

private struct OtherCommand: Command {
    static let name = "thing"
    static let synopsis = "A thing"
    init(_ flags: FlagSet) {}
    func run(_ console: Console) async throws {}
}

private struct Third: Command {
    static let name = "tidy"
    static let synopsis = "Tidies"
    init(_ flags: FlagSet) {}
    func run(_ console: Console) async throws {}
}

private let program = CommandLineProgram(
    name: "prog", version: "1", commands: [OneCommand.self, OtherCommand.self, Third.self], failurePrefix: { _ in "" })

@Suite struct CompletionTests {
    @Test("words of commands, flags and their values are offered where they may stand", arguments: [
        ("prog ", ["thing", "tidy"]), ("prog ti", ["tidy"]), ("prog thing ", ["show"]), ("prog thing s", ["show"]),
        ("prog thing show -", ["-all", "-help", "-name", "-output"]), ("prog thing show --o", ["--output"]),
        ("prog thing show -output ", ["json", "pretty"]), ("prog thing show -output j", ["json"]),
        ("prog thing show -name ", []), ("prog thing show -all ", []), ("prog -v", ["-version"]), ("prog nothing ", []),
        ("prog", []), ("", ["thing", "tidy"]),
    ])
    func offers(_ line: String, _ expected: [String]) {
        #expect(program.completions(of: line, upTo: nil) == expected)
    }

    @Test("only what is before the cursor counts")
    func cursor() {
        #expect(program.completions(of: "prog tidy", upTo: 7) == ["tidy"])
        #expect(program.completions(of: "prog ti", upTo: 6) == ["thing", "tidy"])
        #expect(program.completions(of: "prog ti", upTo: -4).isEmpty == false)
    }

    @Test("a shell that asks gets words and nothing else, whatever the arguments")
    func asked() async {
        let out = Mutex("")
        let console = Console(
            out: { text in out.withLock { $0 += text } }, err: { _ in }, environment: ["COMP_LINE": "prog thing s"])
        #expect(await program.run(["prog", "s", "thing"], console) == 0)
        #expect(out.withLock { $0 } == "show\n")
    }
}

@Suite struct CompletionInstallerTests {
    /// A home folder with some shells' files.
    func home(_ files: [String], _ body: (String) throws -> Void) throws {
        let home = "/tmp/home-\(SystemRandom().uuid().prefix(8))"
        try FileManager.default.createDirectory(atPath: home + "/.config/fish", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }
        for file in files { try AtomicFile.write(Array("# mine".utf8), to: "\(home)/\(file)", mode: 0o600) }
        try body(home)
    }

    func text(_ path: String) throws -> String {
        String(decoding: try AtomicFile.read(path, limit: 1 << 16) ?? [], as: UTF8.self)
    }

    @Test("what installing adds, removing takes away, and nothing else changes")
    func roundTrip() throws {
        try home([".bashrc", ".zshrc"]) { home in
            let installer = CompletionInstaller(program: "prog", environment: ["HOME": home])
            try installer.change(.install)
            #expect(try text(home + "/.bashrc").hasPrefix("# mine\ncomplete -C /"))
            #expect(try text(home + "/.bashrc").hasSuffix(" prog\n"))
            #expect(try text(home + "/.zshrc").contains("bashcompinit && bashcompinit\ncomplete -o nospace -C /"))
            #expect(try text(home + "/.config/fish/completions/prog.fish").contains("complete -f -c prog"))
            #expect(throws: CommandFailure.self) { try installer.change(.install) }
            let mode = try FileManager.default.attributesOfItem(atPath: home + "/.bashrc")[.posixPermissions] as? Int
            #expect(mode == 0o600)
            try installer.change(.remove)
            #expect(try text(home + "/.bashrc") == "# mine\n")
            #expect(!FileManager.default.fileExists(atPath: home + "/.config/fish/completions/prog.fish"))
            #expect(throws: CommandFailure.self) { try installer.change(.remove) }
        }
    }

    @Test("without a home or a shell it says so")
    func nowhere() {
        #expect(throws: CommandFailure.self) { try CompletionInstaller(program: "prog", environment: [:]).change(.install) }
        #expect(throws: CommandFailure.self) {
            try CompletionInstaller(program: "prog", environment: ["HOME": "/nonexistent"]).change(.install)
        }
    }
}

@Suite struct ManualTests {
    @Test("the manual names every command and flag, with what troff would misread escaped")
    func page() {
        let page = program.manual()
        #expect(page.hasPrefix(".TH PROG 1 "))
        for text in [".SS \"thing show\"", "\\fB\\-output\\fR \\fIvalue\\fR", "Name of the thing.", "Two lines (default \"it's\")", "\\fB127\\fR"] {
            #expect(page.contains(text), "\(text)")
        }
        #expect(!page.split(separator: "\n").contains { $0.hasPrefix("'") })
    }
}
