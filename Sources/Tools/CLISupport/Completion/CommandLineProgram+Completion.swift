// SPDX-License-Identifier: Apache-2.0

extension CommandLineProgram {
    /// Flags that belong to no command.
    static let ownFlags = ["-autocomplete-install", "-autocomplete-uninstall", "-help", "-man", "-version"]

    /// Values some flags are limited to, whatever the command.
    private static let choices: [String: [String]] = [
        "output": ["pretty", "json"], "format": ["pem", "spiffe"], "trustDomainBundleFormat": ["pem", "spiffe"],
        "mode": ["restrict", "delete", "dissociate"], "matchSelectorsOn": ["exact", "any", "superset", "subset"],
        "matchFederatesWithOn": ["exact", "any", "superset", "subset"],
        "bundleEndpointProfile": ["https_web", "https_spiffe"], "logFormat": ["text", "json"],
        "level": ["panic", "fatal", "error", "warn", "info", "debug", "trace"],
        "logLevel": ["panic", "fatal", "error", "warn", "info", "debug", "trace"],
    ]

    /// Words that may stand where the cursor is.
    ///
    /// - Parameters:
    ///   - line: The command line typed so far, with the program's name.
    ///   - point: The cursor, in bytes; `nil` for the end of the line.
    /// - Returns: candidates for the word under the cursor, sorted; empty where a shell had better offer files.
    func completions(of line: String, upTo point: Int?) -> [String] {
        let bytes = line.utf8.prefix(max(0, point ?? line.utf8.count))
        var words = (String(bytes) ?? line).split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        let last = words.popLast() ?? ""
        let before = words.filter { !$0.isEmpty }.dropFirst()
        let named = Array(before.prefix { !$0.hasPrefix("-") })
        var command = named
        while !command.isEmpty, !names.contains(command.joined(separator: " ")) { command.removeLast() }
        let name = command.joined(separator: " ")

        var found: [String] = []
        if let type = commands[name] {
            let flags = FlagSet(type.usageName)
            _ = type.init(flags)
            found = values(last, previous: before.last, flags.described)
        } else if last.hasPrefix("-"), name.isEmpty {
            found = Self.ownFlags
        }
        if command.count == named.count, before.count == named.count, !last.hasPrefix("-") {
            let prefix = name.isEmpty ? "" : name + " "
            found += names.filter { $0.hasPrefix(prefix) && $0 != name }.compactMap {
                $0.dropFirst(prefix.count).split(separator: " ").first.map(String.init)
            }
        }
        return Array(Set(found.filter { $0.hasPrefix(last) })).sorted()
    }

    /// A flag's name, or the value of the flag before.
    private func values(_ last: String, previous: String?, _ flags: [FlagSet.Description]) -> [String] {
        if let previous, previous.hasPrefix("-"), !previous.contains("=") {
            let name = String(previous.drop { $0 == "-" })
            if let flag = flags.first(where: { $0.name == name }), !flag.isBool { return Self.choices[name] ?? [] }
        }
        guard last.hasPrefix("-") else { return [] }
        let dashes = last.hasPrefix("--") ? "--" : "-"
        return flags.map { dashes + $0.name } + [dashes + "help"]
    }
}
