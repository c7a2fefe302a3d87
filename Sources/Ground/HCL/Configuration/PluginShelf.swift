// SPDX-License-Identifier: Apache-2.0

/// A kind of plugin: which built-in ones there are, and how many a program needs.
package struct PluginKind: Sendable {
    package let name: String
    package let implemented: [String]
    /// Known from SPIRE, not built yet.
    package let pending: [String]
    package let count: ClosedRange<Int>

    package init(_ name: String, implemented: [String], pending: [String], count: ClosedRange<Int>) {
        self.name = name
        self.implemented = implemented
        self.pending = pending
        self.count = count
    }
}

/// Checks the plugins a configuration asks for against those there are.
package struct PluginShelf {
    /// Why a `plugin_data_file` cannot be read.
    package struct Unreadable: Error, Sendable {
        package let reason: String
        package init(_ reason: String) { self.reason = reason }
    }

    package let kinds: [PluginKind]
    package let plugins: [PluginBlock]
    package let diagnostics: HCLDiagnostics

    package init(kinds: [PluginKind], plugins: [PluginBlock], diagnostics: HCLDiagnostics) {
        self.kinds = kinds
        self.plugins = plugins
        self.diagnostics = diagnostics
    }

    /// The plugins of a kind that are not switched off, in file order.
    package func enabled(_ kind: String) -> [PluginBlock] { plugins.filter { $0.kind == kind && $0.isEnabled } }

    /// Those of them that can be built.
    package func usable(_ kind: String) -> [PluginBlock] {
        let names = kinds.first { $0.name == kind }?.implemented ?? []
        return enabled(kind).filter { !$0.isExternal && names.contains($0.name) }
    }

    /// Reports kinds and names that do not exist or cannot be built, and kinds that are there too often or too seldom.
    package func check() {
        for plugin in plugins where plugin.isEnabled {
            guard let kind = kinds.first(where: { $0.name == plugin.kind }) else {
                let hint = Spelling.nearest(to: plugin.kind, among: kinds.map(\.name))
                report(
                    plugin.kind,
                    "unsupported plugin type \"\(plugin.kind)\"" + (hint.map { "; did you mean \"\($0)\"?" } ?? ""),
                    at: plugin.position)
                continue
            }
            if kind.name != "DataStore" { check(plugin, of: kind) }
        }
        for kind in kinds {
            let count = enabled(kind.name).count
            guard !kind.count.contains(count) else { continue }
            let wanted =
                kind.count.lowerBound == kind.count.upperBound
                ? "exactly \(kind.count.lowerBound)"
                : count < kind.count.lowerBound
                    ? "at least \(kind.count.lowerBound)" : "at most \(kind.count.upperBound)"
            let names = kind.implemented.isEmpty ? "" : "; there are: \(kind.implemented.joined(separator: ", "))"
            report(
                kind.name,
                "plugin type \"\(kind.name)\" constraint not satisfied: expected \(wanted) but got \(count)\(names)",
                at: enabled(kind.name).last?.position)
        }
    }

    private func check(_ plugin: PluginBlock, of kind: PluginKind) {
        if plugin.isExternal {
            if plugin.kind == "NodeAttestor", plugin.name == "join_token" {
                return report(
                    plugin.kind, "the built-in join_token node attestor cannot be overridden by an external plugin",
                    at: plugin.position)
            }
            return notImplemented(
                plugin.kind, "plugin_cmd, an external plugin (\(plugin.kind) \"\(plugin.name)\"),",
                remedy: "use a built-in one", at: plugin.position)
        }
        if kind.implemented.contains(plugin.name) { return }
        let there = kind.implemented.isEmpty ? "" : "; there are: \(kind.implemented.joined(separator: ", "))"
        if kind.pending.contains(plugin.name) {
            return notImplemented(
                plugin.kind, "\(plugin.kind) \"\(plugin.name)\"",
                remedy: kind.implemented.isEmpty
                    ? "remove it" : "use one of: \(kind.implemented.joined(separator: ", "))",
                at: plugin.position)
        }
        let hint = Spelling.nearest(to: plugin.name, among: kind.implemented + kind.pending)
        report(
            plugin.kind,
            """
            failed to load plugin "\(plugin.name)": no built-in plugin "\(plugin.name)" for type "\(plugin.kind)"\
            \(hint.map { "; did you mean \"\($0)\"?" } ?? there)
            """,
            at: plugin.position)
    }

    /// The settings of a plugin, from its block or its file, ready to decode; `nil` when that failed and is reported.
    package func data(
        of plugin: PluginBlock, read: (String) -> Result<[UInt8], Unreadable>
    ) -> HCLBlock? {
        let path = "plugins.\(plugin.kind).\"\(plugin.name)\".plugin_data"
        guard !plugin.dataFile.isEmpty else {
            let data = plugin.data ?? HCLObject([], at: plugin.position)
            return HCLBlock(data, path: path, diagnostics: diagnostics)
        }
        switch read(plugin.dataFile) {
        case .failure(let unreadable):
            refused(plugin, "unable to read plugin_data_file: \(unreadable.reason)")
        case .success(let text):
            do {
                return HCLBlock(try HCL.parse(text), path: path, diagnostics: diagnostics)
            } catch {
                refused(plugin, "unable to decode configuration: \(plugin.dataFile): \(error)")
            }
        }
        return nil
    }

    /// Reports settings a plugin does not accept.
    package func refused(_ plugin: PluginBlock, _ reason: String) {
        report(plugin.kind, "failed to configure plugin \"\(plugin.name)\": \(reason)", at: plugin.position)
    }

    /// Reports something SPIRE has and this release does not.
    package func notImplemented(_ key: String, _ what: String, remedy: String, at position: HCLPosition?) {
        diagnostics.report(
            .notImplemented, key: "plugins.\(key)", "\(what) is not implemented in this release; \(remedy)",
            at: position)
    }

    /// Reports a problem with a plugin.
    package func report(_ key: String, _ message: String, at position: HCLPosition?) {
        diagnostics.report(.plugin, key: key, message, at: position)
    }
}
