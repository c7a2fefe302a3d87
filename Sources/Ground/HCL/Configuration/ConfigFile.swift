// SPDX-License-Identifier: Apache-2.0

/// A configuration file that was read: what is in it, and where its problems go.
package struct ConfigFile {
    package let root: HCLBlock
    package let diagnostics: HCLDiagnostics

    /// Parses the text of a file.
    ///
    /// - Parameters:
    ///   - path: As the operator gave it, for messages.
    ///   - environment: Given, its variables are put into the text first.
    /// - Throws: `ConfigError` when the text is not HCL.
    package init(_ text: [UInt8], path: String, expandingWith environment: [String: String]?) throws(ConfigError) {
        let text = environment.map { EnvironmentExpansion.expand(text, $0) } ?? text
        let prefix = "unable to decode configuration at \"\(path)\": "
        do {
            diagnostics = HCLDiagnostics(prefix: prefix, file: path)
            root = HCLBlock(try HCL.parse(text), diagnostics: diagnostics)
        } catch {
            // No position field: the message of a syntax error begins with it already.
            throw ConfigError([ConfigProblem(.unreadable, prefix + error.description)])
        }
    }

    /// Throws when anything was found to be wrong.
    package func finish() throws(ConfigError) {
        guard diagnostics.problems.isEmpty else {
            throw ConfigError(diagnostics.problems, notices: diagnostics.notices)
        }
    }

    /// The message about a file that is not there.
    package static func missing(_ path: String, workingDirectory: String?) -> ConfigError {
        let message =
            if let absolute = PathText.absolute(path, in: workingDirectory) {
                "could not find config file \(absolute): please use the -config flag"
            } else {
                "could not determine CWD; config file not found at \(path): use -config"
            }
        return ConfigError([ConfigProblem(.unreadable, message)])
    }

    /// The message about a file that cannot be read.
    package static func unreadable(_ path: String, _ reason: String) -> ConfigError {
        ConfigError([ConfigProblem(.unreadable, "unable to read configuration at \"\(path)\": \(reason)")])
    }
}

/// Paths as text.
package enum PathText {
    /// Makes a path absolute and takes `.`, `..` and doubled slashes out of it, without looking at the disk.
    ///
    /// - Returns: `nil` when the path is relative and the working directory is not known.
    package static func absolute(_ path: String, in workingDirectory: String?) -> String? {
        var whole = path
        if !path.hasPrefix("/") {
            guard let workingDirectory else { return nil }
            whole = workingDirectory + "/" + path
        }
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." {
                _ = parts.popLast()
            } else {
                parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }
}
