// SPDX-License-Identifier: Apache-2.0

import Groundwork
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
        let path = flags.config.flatMap { $0.isEmpty ? nil : $0 } ?? defaultPath
        let text: [UInt8]?
        do {
            text = try AtomicFile.read(path, limit: HCL.Limits().bytes)
        } catch {
            throw ConfigFile.unreadable(path, "\(error)")
        }
        guard let text else { throw ConfigFile.missing(path, workingDirectory: workingDirectory) }
        return try decode(
            text, path: path, flags: flags, environment: environment, workingDirectory: workingDirectory)
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
