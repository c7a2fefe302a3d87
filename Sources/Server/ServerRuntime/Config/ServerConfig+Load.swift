// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import HCL
import SPIFFE

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
        let path = flags.config.flatMap { $0.isEmpty ? nil : $0 } ?? defaultPath
        let text: [UInt8]?
        do {
            text = try AtomicFile.read(path, limit: HCL.Limits().bytes)
        } catch {
            throw ConfigFile.unreadable(path, "\(error)")
        }
        guard let text else { throw ConfigFile.missing(path, workingDirectory: workingDirectory) }
        do {
            return try decode(
                text, path: path, flags: flags, environment: environment, workingDirectory: workingDirectory)
        } catch {
            // Plugins are resolved from a good configuration only; one run is to show what is wrong with them too.
            let more = pluginProblems(text, path: path, expandingWith: flags.expandEnv == true ? environment : nil)
            throw ConfigError(error.problems + more.filter { !error.problems.contains($0) }, notices: error.notices)
        }
    }

    /// What is wrong with the plugins of a file, whatever else is; nothing when it cannot be parsed.
    private static func pluginProblems(
        _ text: [UInt8], path: String, expandingWith environment: [String: String]?
    ) -> [ConfigProblem] {
        guard let file = try? ConfigFile(text, path: path, expandingWith: environment),
            let block = file.root.block("plugins"), let anyDomain = try? TrustDomain("example.org")
        else { return [] }
        var config = ServerConfig(trustDomain: anyDomain, dataDir: "")
        config.source = path
        config.plugins = PluginBlock.decode(block)
        do {
            _ = try config.resolvedPlugins()
            return []
        } catch {
            return error.problems
        }
    }

    /// Does what `load` does with the text of a file at hand.
    package static func decode(
        _ text: [UInt8], path: String, flags: ServerFlags = ServerFlags(), environment: [String: String] = [:],
        workingDirectory: String? = nil
    ) throws(ConfigError) -> ServerConfig {
        let file = try ConfigFile(
            text, path: path, expandingWith: flags.expandEnv == true ? environment : nil)
        var reader = ServerConfigReader(file: file, flags: flags, workingDirectory: workingDirectory)
        let read = reader.read()
        if let read { file.report(ServerConfig.pending, usedBy: read) }
        try file.finish()
        guard var config = read else {
            throw ConfigError([ConfigProblem(.invalid, key: "server.trust_domain", "trust_domain must be configured")])
        }
        config.source = path
        config.notices = file.diagnostics.notices
        config.origins = reader.resolver.origins
        return config
    }
}
