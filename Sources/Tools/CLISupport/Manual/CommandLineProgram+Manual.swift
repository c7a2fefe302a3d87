// SPDX-License-Identifier: Apache-2.0

extension CommandLineProgram {
    /// The program's manual page, for `man`: every command with its flags, from the commands themselves.
    package func manual() -> String {
        var page = Roff()
        page.line(".TH \(name.uppercased()) 1 \"\" \"\(Roff.escaped(name)) \(Roff.escaped(version))\"")
        page.section("NAME")
        page.text(facts.summary.isEmpty ? name : "\(name) - \(facts.summary)")
        page.section("SYNOPSIS")
        page.line(".B \(Roff.escaped(name))")
        page.text("command [flags]")
        if !facts.description.isEmpty {
            page.section("DESCRIPTION")
            page.text(facts.description)
        }
        page.section("COMMANDS")
        for name in commandNames {
            guard let type = commands[name] else { continue }
            page.line(".SS \"\(Roff.escaped(name))\"")
            page.text(type.synopsis + ".")
            let flags = FlagSet(type.usageName)
            _ = type.init(flags)
            for flag in flags.described {
                let kind = flag.kind.isEmpty ? "" : " \\fI\(Roff.escaped(flag.kind))\\fR"
                page.item("\\fB\\-\(Roff.escaped(flag.name))\\fR\(kind)")
                page.text(flag.help + (flag.shownDefault.isEmpty ? "" : " (default \(flag.shownDefault))"))
            }
        }
        page.section("GENERAL FLAGS")
        for (flag, text) in Self.generalFlags {
            page.item("\\fB\(Roff.escaped(flag))\\fR")
            page.text(text)
        }
        page.items("ENVIRONMENT", facts.environment)
        page.items("FILES", facts.files)
        page.items("SIGNALS", facts.signals)
        page.section("EXIT STATUS")
        for (code, text) in [
            ("0", "Success, or help that was asked for."), ("1", "The command failed; standard error says why."),
            ("127", "There is no such command."),
        ] {
            page.item("\\fB\(code)\\fR")
            page.text(text)
        }
        return page.out
    }

    private static let generalFlags = [
        ("-h, -help", "Shows the commands, or the flags of a command."),
        ("-v, -version", "Shows the version."),
        ("-autocomplete-install, -autocomplete-uninstall", "Sets up completion in bash, zsh and fish, or removes it."),
        ("-man", "Writes this page."),
    ]
}

/// Text for troff.
private struct Roff {
    private(set) var out = ""

    mutating func line(_ text: String) { out += text + "\n" }
    mutating func section(_ title: String) { line(".SH \(title)") }

    mutating func item(_ tag: String) {
        line(".TP")
        line(tag)
    }

    mutating func text(_ text: String) {
        for part in text.split(separator: "\n") {
            let escaped = Self.escaped(String(part))
            // A line that began with a dot or an apostrophe would be a request.
            line(escaped.hasPrefix(".") || escaped.hasPrefix("'") ? "\\&" + escaped : escaped)
        }
    }

    mutating func items(_ title: String, _ items: [ManualFacts.Item]) {
        guard !items.isEmpty else { return }
        section(title)
        for item in items {
            self.item("\\fB\(Self.escaped(item.name))\\fR")
            text(item.text)
        }
    }

    static func escaped(_ text: String) -> String {
        text.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\e")
            .split(separator: "-", omittingEmptySubsequences: false).joined(separator: "\\-")
    }
}
