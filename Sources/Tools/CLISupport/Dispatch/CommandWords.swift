// SPDX-License-Identifier: Apache-2.0

/// A command line cut into the command's words, flags before them and the rest.
struct CommandWords {
    /// The longest known command at the front, or all leading words when none is known; empty without any word.
    private(set) var name = ""
    private(set) var rest: [String] = []
    private(set) var leadingFlags: [String] = []
    private(set) var asksForHelp = false
    private(set) var asksForVersion = false

    /// - Parameter names: Commands, and words that only lead to commands.
    init(_ arguments: [String], names: Set<String>) {
        for (index, argument) in arguments.enumerated() {
            if argument == "--" { break }
            if ["-h", "-help", "--help"].contains(argument) {
                asksForHelp = true
                continue
            }
            guard name.isEmpty else { continue }
            if ["-v", "-version", "--version"].contains(argument) {
                asksForVersion = true
                continue
            }
            if argument.hasPrefix("-") { leadingFlags.append(argument) }
            guard !argument.isEmpty, !argument.hasPrefix("-") else { continue }
            // An argument with a space in it is never a command.
            if argument.contains(" ") { return }
            var words = Array(arguments[index...].prefix { !$0.isEmpty && !$0.contains(" ") && !$0.hasPrefix("-") })
            let all = words
            while !words.isEmpty, !names.contains(words.joined(separator: " ")) { words.removeLast() }
            if words.isEmpty { words = all }
            name = words.joined(separator: " ")
            rest = Array(arguments[(index + words.count)...])
        }
    }
}
