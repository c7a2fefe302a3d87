// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import HCL

extension AgentConfig {
    /// Decides which plugins to build. Reads `plugin_data_file`s.
    ///
    /// - Throws: `ConfigError` with all problems: missing or repeated plugins, unknown names, settings that are wrong.
    package func resolvedPlugins() throws(ConfigError) -> AgentPlugins {
        let diagnostics = HCLDiagnostics(file: source.isEmpty ? nil : source)
        let shelf = PluginShelf(kinds: Self.pluginKinds, plugins: plugins, diagnostics: diagnostics)
        shelf.check()
        let keyManager = keyManager(shelf.usable("KeyManager").first, shelf)
        let nodeAttestor = shelf.usable("NodeAttestor").first
        if let nodeAttestor { _ = shelf.data(of: nodeAttestor, read: Self.readFile) }
        let workloadAttestors = shelf.usable("WorkloadAttestor").compactMap { unix($0, shelf) }
        guard diagnostics.problems.isEmpty, let keyManager, let nodeAttestor else {
            throw ConfigError(diagnostics.problems, notices: diagnostics.notices)
        }
        return AgentPlugins(
            keyManager: keyManager, nodeAttestor: nodeAttestor.name, workloadAttestors: workloadAttestors)
    }

    private func keyManager(_ plugin: PluginBlock?, _ shelf: PluginShelf) -> AgentPlugins.KeyManager? {
        guard let plugin, let data = shelf.data(of: plugin, read: Self.readFile) else { return nil }
        switch plugin.name {
        case "memory":
            guard data.isEmpty else {
                shelf.refused(plugin, "no supported configuration interface found; memory takes no settings")
                return nil
            }
            return .memory
        default:
            let directory = data.string("directory")?.value ?? ""
            guard !directory.isEmpty else {
                shelf.refused(plugin, "directory must be configured")
                return nil
            }
            return .disk(directory: directory)
        }
    }

    private func unix(_ plugin: PluginBlock, _ shelf: PluginShelf) -> AgentPlugins.WorkloadAttestor? {
        guard let data = shelf.data(of: plugin, read: Self.readFile) else { return nil }
        var settings = AgentPlugins.Unix()
        settings.discoversWorkloadPath = data.bool("discover_workload_path")?.value ?? false
        settings.workloadSizeLimit = Int64(data.int("workload_size_limit")?.value ?? 0)
        return .unix(settings)
    }

    private static func readFile(_ path: String) -> Result<[UInt8], PluginShelf.Unreadable> {
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
