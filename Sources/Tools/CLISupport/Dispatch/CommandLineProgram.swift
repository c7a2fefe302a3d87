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

    package init(
        name: String, version: String, commands: [any Command.Type],
        failurePrefix: @escaping @Sendable (String) -> String
    ) {
        self.name = name
        self.version = version
        self.commands = Dictionary(commands.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.failurePrefix = failurePrefix
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
        let line = CommandWords(arguments, names: names)
        if line.asksForVersion {
            console.err(version + "\n")
            return 0
        }
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
