// SPDX-License-Identifier: Apache-2.0

extension CommandLineProgram {
    /// The list of first words.
    func overview() -> String {
        let heads = members(of: "")
        let width = heads.map(\.count).max() ?? 0
        var text = "Usage: \(name) [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n"
        for head in heads {
            text += "    \(padded(head, width))    \(commands[head]?.synopsis ?? "")\n"
        }
        return text + "\n"
    }

    /// Tells how to call `name`, which is a command or only leads to some, and lists what is below it.
    func describe(_ name: String, _ console: Console) {
        let below = members(of: name)
        var text = usage(name)
        // Asking a member for its help writes its usage block, as in the original.
        for member in below { text += usage(member) }
        text += commands[name]?.helpEnding ?? "This command is accessed by using one of the subcommands below."
        if !below.isEmpty {
            let width = below.map(\.count).max() ?? 0
            text += "\n\nSubcommands:"
            for member in below {
                let word = member.split(separator: " ").last.map(String.init) ?? member
                let padding = String(repeating: " ", count: width - member.count)
                text += "\n    \(word)\(padding)    \(commands[member]?.synopsis ?? "")"
            }
        }
        console.err(text + "\n")
    }

    /// The names one word below `name`, sorted.
    private func members(of name: String) -> [String] {
        let prefix = name.isEmpty ? "" : name + " "
        return names.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains(" ") }.sorted()
    }

    private func usage(_ name: String) -> String {
        guard let type = commands[name] else { return "" }
        let flags = FlagSet(type.usageName)
        _ = type.init(flags)
        return flags.usage
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
