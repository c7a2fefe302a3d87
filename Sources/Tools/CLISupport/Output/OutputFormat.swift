// SPDX-License-Identifier: Apache-2.0

/// How a command prints its result.
package enum OutputFormat: Sendable, Hashable {
    case pretty
    case json
}

extension FlagSet {
    /// Declares `-output`.
    package func output() -> Flag<OutputFormat> {
        custom("output", .pretty, "Desired output format (pretty, json); default: pretty.") {
            (text, flag) throws(FlagError) in
            let format: OutputFormat
            switch text.lowercased() {
            case "pretty", "prettyprint": format = .pretty
            case "json": format = .json
            default: throw FlagError(message: "bad formatter flag: unknown format option: \(GoText.quoted(text))")
            }
            if flag.isSet, flag.value != format {
                throw FlagError(message: "the output format has already been set to \"\(flag.value)\"")
            }
            return format
        }
    }
}

extension Console {
    /// Prints a result in the wanted format, exactly one of the two.
    package func show(_ format: OutputFormat, json: @autoclosure () -> JSONNode, pretty: () throws -> Void) rethrows {
        switch format {
        case .json: exact(json().text + "\n")
        case .pretty: try pretty()
        }
    }
}
