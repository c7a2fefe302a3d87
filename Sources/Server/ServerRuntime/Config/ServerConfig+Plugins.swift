// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import HCL

extension ServerConfig {
    /// Decides which plugins to build. Reads `plugin_data_file`s.
    ///
    /// - Throws: `ConfigError` with all problems: missing or repeated plugins, unknown names, settings that are wrong.
    package func resolvedPlugins() throws(ConfigError) -> ServerPlugins {
        let diagnostics = HCLDiagnostics(file: source.isEmpty ? nil : source)
        let shelf = PluginShelf(kinds: Self.pluginKinds, plugins: plugins, diagnostics: diagnostics)
        let datastore = datastore(shelf)
        shelf.check()
        let keyManager = keyManager(shelf.usable("KeyManager").first, shelf)
        let attestors = shelf.usable("NodeAttestor")
        for attestor in attestors { _ = shelf.data(of: attestor, read: PluginFile.read) }
        guard diagnostics.problems.isEmpty, let datastore, let keyManager else {
            throw ConfigError(diagnostics.problems, notices: diagnostics.notices)
        }
        return ServerPlugins(datastore: datastore, keyManager: keyManager, nodeAttestors: attestors.map(\.name))
    }

    private func keyManager(_ plugin: PluginBlock?, _ shelf: PluginShelf) -> ServerPlugins.KeyManager? {
        guard let plugin, let data = shelf.data(of: plugin, read: PluginFile.read) else { return nil }
        switch plugin.name {
        case "memory":
            guard data.isEmpty else {
                shelf.refused(plugin, "no supported configuration interface found; memory takes no settings")
                return nil
            }
            return .memory
        default:
            let path = data.string("keys_path")?.value ?? ""
            guard !path.isEmpty else {
                shelf.refused(plugin, "keys_path is required")
                return nil
            }
            return .disk(keysPath: path)
        }
    }
}

/// Reads `plugin_data_file`s.
enum PluginFile {
    static func read(_ path: String) -> Result<[UInt8], PluginShelf.Unreadable> {
        do {
            guard let text = try AtomicFile.read(path, limit: HCL.Limits().bytes) else {
                return .failure(PluginShelf.Unreadable("open \(path): no such file or directory"))
            }
            return .success(text)
        } catch {
            return .failure(PluginShelf.Unreadable("\(error)"))
        }
    }
}
