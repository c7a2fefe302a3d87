// SPDX-License-Identifier: Apache-2.0

package import HCL

extension ServerConfig {
    /// Reads the configuration file, puts the flags over it, fills in defaults and checks every rule.
    ///
    /// - Parameters:
    ///   - environment: Used by `-expandEnv` only.
    ///   - workingDirectory: What relative paths are relative to; `nil` when it cannot be told.
    /// - Throws: `ConfigError` with all problems. Plugins are checked by `resolvedPlugins()`.
    package static func load(
        _ flags: ServerFlags, environment: [String: String], workingDirectory: String?
    ) throws(ConfigError) -> ServerConfig {
        throw ConfigError([ConfigProblem(.unreadable, "loading a configuration file arrives with the decoder")])
    }

    /// Decides which plugins to build.
    ///
    /// - Throws: `ConfigError` with all problems: missing or repeated plugins, unknown names, settings that are wrong.
    package func resolvedPlugins() throws(ConfigError) -> ServerPlugins {
        throw ConfigError([ConfigProblem(.plugin, "resolving plugins arrives with the decoder")])
    }
}
