// SPDX-License-Identifier: Apache-2.0

/// A program of commands, dispatched as the original's library does: the longest name that matches wins.
package struct CommandLineProgram: Sendable {
    package let name: String
    package let version: String
    let commands: [String: any Command.Type]
    /// Every command's name, and every word sequence that only leads to commands.
    let names: Set<String>
    /// Put before the message of a failed command, such as `Error: `.
    private let failurePrefix: @Sendable (String) -> String
    let facts: ManualFacts

    package init(
        name: String, version: String, commands: [any Command.Type], facts: ManualFacts = ManualFacts(),
        failurePrefix: @escaping @Sendable (String) -> String
    ) {
        self.name = name
        self.version = version
        self.commands = Dictionary(commands.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.failurePrefix = failurePrefix
        self.facts = facts
        var names = Set(self.commands.keys)
        for name in self.commands.keys {
            var words = name.split(separator: " ")
            while words.count > 1 {
                words.removeLast()
                names.insert(words.joined(separator: " "))
            }
        }
        self.names = names
    }

    /// Every command's name, sorted.
    package var commandNames: [String] { commands.keys.sorted() }

    /// Runs one command line, without the program's own name.
    /// - Returns: the exit code: 0 for success and for help that was asked for, 127 for no such command, else 1.
    package func run(_ arguments: [String], _ console: Console) async -> Int32 {
        // A shell that completes asks before anything else is looked at.
        if let typed = console.environment["COMP_LINE"] {
            let point = console.environment["COMP_POINT"].flatMap { Int($0) }
            for word in completions(of: typed, upTo: point) { console.out(word + "\n") }
            return 0
        }
        let line = CommandWords(arguments, names: names)
        if line.asksForVersion {
            console.err(version + "\n")
            return 0
        }
        if line.name.isEmpty, let done = special(line.leadingFlags, console) { return done }
        guard names.contains(line.name) else {
            console.err(overview())
            return line.asksForHelp && line.name.isEmpty ? 0 : 127
        }
        if line.asksForHelp {
            describe(line.name, console)
            return 0
        }
        if !line.leadingFlags.isEmpty {
            console.err("Invalid flags before the subcommand. If these flags are for\n")
            console.err("the subcommand, please put them after the subcommand.\n\n")
            describe(line.name, console)
            return 1
        }
        guard let type = commands[line.name] else {
            describe(line.name, console)
            return 1
        }
        return await run(type, line.rest, console)
    }

    /// Flags of the program itself. - Returns: the exit code, `nil` when there is none of them.
    private func special(_ flags: [String], _ console: Console) -> Int32? {
        let wanted = Set(flags.map { $0.hasPrefix("--") ? String($0.dropFirst()) : $0 })
        if wanted.contains("-man") {
            console.out(manual())
            return 0
        }
        let installs = wanted.contains("-autocomplete-install")
        let removes = wanted.contains("-autocomplete-uninstall")
        guard installs || removes else { return nil }
        guard installs != removes else {
            console.err("Either the autocomplete install or uninstall flag may be specified, but not both.\n")
            return 1
        }
        do {
            try CompletionInstaller(program: name, environment: console.environment).change(installs ? .install : .remove)
            return 0
        } catch {
            console.err("\(error)\n")
            return 1
        }
    }

    private func run(_ type: any Command.Type, _ arguments: [String], _ console: Console) async -> Int32 {
        let flags = FlagSet(type.usageName)
        let command = type.init(flags)
        do {
            try flags.parse(arguments)
        } catch {
            console.err(error.message + "\n" + flags.usage)
            if type.repeatsFlagErrors { console.err(failurePrefix(type.name) + error.message + "\n") }
            return 1
        }
        do {
            try await command.run(console)
            return 0
        } catch let failure as CommandFailure {
            if !failure.message.isEmpty { console.err(failurePrefix(type.name) + failure.message + "\n") }
            return failure.exitCode
        } catch {
            console.err(failurePrefix(type.name) + "\(error)\n")
            return 1
        }
    }
}
