// SPDX-License-Identifier: Apache-2.0

/// A program of commands, dispatched as the original's library does: the longest name that matches wins.
package struct CommandLineProgram: Sendable {
    package let name: String
    package let version: String
    private let commands: [String: any Command.Type]
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
    }

    /// Every command's name, sorted.
    package var commandNames: [String] { commands.keys.sorted() }

    /// Runs one command line, without the program's own name.
    /// - Returns: the exit code.
    package func run(_ arguments: [String], _ console: Console) async -> Int32 {
        var words: [String] = []
        for argument in arguments {
            if argument.hasPrefix("-") { break }
            words.append(argument)
        }
        if words.isEmpty {
            for argument in arguments {
                switch argument {
                case "-v", "-version", "--version":
                    console.err(version + "\n")
                    return 0
                case "-h", "-help", "--help":
                    console.err(overview())
                    return 0
                default: continue
                }
            }
            if !arguments.isEmpty {
                console.err("Invalid flags before the subcommand. If these flags are for\n")
                console.err("the subcommand, please put them after the subcommand.\n\n")
                console.err(overview())
                return 1
            }
            console.err(overview())
            return 127
        }
        for count in stride(from: words.count, to: 0, by: -1) {
            if let type = commands[words[..<count].joined(separator: " ")] {
                return await run(type, Array(arguments[count...]), console)
            }
        }
        for count in stride(from: words.count, to: 0, by: -1) {
            let prefix = words[..<count].joined(separator: " ")
            let below = commandNames.filter { $0.hasPrefix(prefix + " ") }
            if !below.isEmpty {
                describe(below, under: prefix, console)
                return 1
            }
        }
        console.err(overview())
        return 127
    }

    private func run(_ type: any Command.Type, _ arguments: [String], _ console: Console) async -> Int32 {
        let flags = FlagSet(type.usageName)
        let command = type.init(flags)
        if arguments.contains(where: { $0 == "-h" || $0 == "-help" || $0 == "--help" }) {
            console.err(flags.usage)
            console.err((type.repeatsFlagErrors ? "flag: help requested" : "") + "\n")
            return 0
        }
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

    /// The list of first words.
    private func overview() -> String {
        let heads = Set(commandNames.compactMap { $0.split(separator: " ").first.map(String.init) }).sorted()
        let width = heads.map(\.count).max() ?? 0
        var text = "Usage: \(name) [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n"
        for head in heads {
            text += "    \(padded(head, width))    \(commands[head]?.synopsis ?? "")\n"
        }
        return text + "\n"
    }

    /// A word that only begins names: the usage of each command below it, then their list.
    private func describe(_ below: [String], under prefix: String, _ console: Console) {
        for name in below {
            guard let type = commands[name] else { continue }
            let flags = FlagSet(type.usageName)
            _ = type.init(flags)
            console.err(flags.usage)
        }
        var heads: [String] = []
        for name in below {
            let rest = name.dropFirst(prefix.count + 1)
            if let head = rest.split(separator: " ").first.map(String.init), !heads.contains(head) { heads.append(head) }
        }
        let width = heads.map(\.count).max() ?? 0
        var text = "This command is accessed by using one of the subcommands below.\n\nSubcommands:\n"
        for head in heads {
            text += "    \(padded(head, width))    \(commands[prefix + " " + head]?.synopsis ?? "")\n"
        }
        console.err(text)
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
