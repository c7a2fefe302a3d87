// SPDX-License-Identifier: Apache-2.0

/// The flags of one command, parsed and described as Go's `flag` package does.
///
/// `-name value`, `-name=value`, one dash or two; a boolean takes a value only behind `=`. Parsing ends at `--` or at
/// the first word without a dash; what follows is left over.
package final class FlagSet {
    private struct Entry {
        let help: String
        /// The word after the name in the usage; empty for booleans.
        let kind: String
        let shownDefault: String
        let isBool: Bool
        let assign: (String) throws(FlagError) -> Void
    }

    package let name: String
    private var entries: [String: Entry] = [:]
    package private(set) var leftOver: [String] = []

    package init(_ name: String) { self.name = name }

    package func string(_ name: String, _ fallback: String = "", _ help: String) -> Flag<String> {
        let flag = Flag(fallback)
        entries[name] = Entry(
            help: help, kind: "string", shownDefault: fallback.isEmpty ? "" : GoText.quoted(fallback), isBool: false
        ) { (text) throws(FlagError) in flag.assign(text) }
        return flag
    }

    package func bool(_ name: String, _ help: String) -> Flag<Bool> {
        let flag = Flag(false)
        entries[name] = Entry(help: help, kind: "", shownDefault: "", isBool: true) { (text) throws(FlagError) in
            switch text {
            case "1", "t", "T", "true", "TRUE", "True": flag.assign(true)
            case "0", "f", "F", "false", "FALSE", "False": flag.assign(false)
            default: throw FlagError(message: "invalid boolean value \(GoText.quoted(text)) for -\(name): parse error")
            }
        }
        return flag
    }

    package func int(_ name: String, _ fallback: Int = 0, _ help: String) -> Flag<Int> {
        let flag = Flag(fallback)
        entries[name] = Entry(
            help: help, kind: "int", shownDefault: fallback == 0 ? "" : "\(fallback)", isBool: false
        ) { (text) throws(FlagError) in
            do throws(FlagError) {
                flag.assign(try GoText.parseInt(text))
            } catch {
                throw FlagError(message: "invalid value \(GoText.quoted(text)) for flag -\(name): \(error.message)")
            }
        }
        return flag
    }

    /// - Parameter kind: `duration`, or `value` where the original wraps it.
    package func duration(_ name: String, _ fallback: Duration = .zero, _ help: String, kind: String = "duration")
        -> Flag<Duration>
    {
        let flag = Flag(fallback)
        entries[name] = Entry(
            help: help, kind: kind, shownDefault: fallback == .zero ? "" : GoText.duration(fallback), isBool: false
        ) { (text) throws(FlagError) in
            guard let value = GoText.parseDuration(text) else {
                let reason = kind == "duration" ? "parse error" : "time: invalid duration \(GoText.quoted(text))"
                throw FlagError(message: "invalid value \(GoText.quoted(text)) for flag -\(name): \(reason)")
            }
            flag.assign(value)
        }
        return flag
    }

    /// A flag that may be given more than once.
    package func list(_ name: String, _ help: String) -> Flag<[String]> {
        let flag = Flag<[String]>([])
        entries[name] = Entry(help: help, kind: "value", shownDefault: "", isBool: false) { (text) throws(FlagError) in
            flag.assign(flag.value + [text])
        }
        return flag
    }

    /// A flag with a syntax of its own.
    package func custom<Value>(
        _ name: String, _ fallback: Value, _ help: String, kind: String = "value",
        _ parse: @escaping (String, Flag<Value>) throws(FlagError) -> Value
    ) -> Flag<Value> {
        let flag = Flag(fallback)
        entries[name] = Entry(help: help, kind: kind, shownDefault: "", isBool: false) { (text) throws(FlagError) in
            do throws(FlagError) {
                flag.assign(try parse(text, flag))
            } catch {
                throw FlagError(message: "invalid value \(GoText.quoted(text)) for flag -\(name): \(error.message)")
            }
        }
        return flag
    }

    /// Declares a second name for a flag declared before.
    package func alias(_ name: String, of other: String, _ help: String) {
        guard let entry = entries[other] else { return }
        entries[name] = Entry(
            help: help, kind: entry.kind, shownDefault: entry.shownDefault, isBool: entry.isBool, assign: entry.assign)
    }

    package func parse(_ arguments: [String]) throws(FlagError) {
        var rest = arguments[...]
        while let argument = rest.first {
            guard argument.hasPrefix("-"), argument.count > 1 else { break }
            rest = rest.dropFirst()
            if argument == "--" { break }
            let body = argument.dropFirst(argument.hasPrefix("--") ? 2 : 1)
            guard let first = body.first, first != "-", first != "=" else {
                throw FlagError(message: "bad flag syntax: \(argument)")
            }
            let equals = body.firstIndex(of: "=")
            let name = String(equals.map { body[..<$0] } ?? body)
            guard let entry = entries[name] else {
                throw FlagError(message: "flag provided but not defined: -\(name)")
            }
            if let equals {
                try entry.assign(String(body[body.index(after: equals)...]))
            } else if entry.isBool {
                try entry.assign("true")
            } else {
                guard let value = rest.first else {
                    throw FlagError(message: "flag needs an argument: -\(name)")
                }
                rest = rest.dropFirst()
                try entry.assign(value)
            }
        }
        leftOver = Array(rest)
    }

    /// Every flag, by name.
    package var described: [Description] {
        entries.sorted { $0.key < $1.key }.map { name, entry in
            Description(
                name: name, kind: entry.kind, help: entry.help, shownDefault: entry.shownDefault, isBool: entry.isBool)
        }
    }

    /// The block printed for `-h` and wrong flags.
    package var usage: String {
        var text = "Usage of \(name):\n"
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            text += "  -\(name)" + (entry.kind.isEmpty ? "" : " " + entry.kind) + "\n    \t"
            text += entry.help.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n    \t")
            if !entry.shownDefault.isEmpty { text += " (default \(entry.shownDefault))" }
            text += "\n"
        }
        return text
    }
}
