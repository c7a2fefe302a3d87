// SPDX-License-Identifier: Apache-2.0

extension PluginBlock {
    /// Reads the `plugins` section, in source order across kinds. Unknown keys of a stanza are let pass, as SPIRE does.
    package static func decode(_ plugins: HCLBlock) -> [PluginBlock] {
        var found: [PluginBlock] = []
        for item in plugins.items {
            guard let kind = item.keys.first else { continue }
            if case .literal(let literal) = item.value, literal.kind == .null { continue }
            let stanzas = plugins.labelled(
                plugins.fullName(kind.text), labels: item.keys.dropFirst(), value: item.value,
                position: item.value.position)
            for stanza in stanzas {
                let plugin = decode(kind: kind.text, stanza)
                if found.contains(where: { $0.kind == plugin.kind && $0.name == plugin.name }) {
                    plugins.diagnostics.report(
                        .plugin, key: stanza.block.path,
                        "plugin \"\(plugin.kind)\"/\"\(plugin.name)\" declared more than once", at: plugin.position)
                }
                found.append(plugin)
            }
        }
        return found
    }

    private static func decode(kind: String, _ stanza: HCLLabelledBlock) -> PluginBlock {
        let block = stanza.block
        let plugin = PluginBlock(
            kind: kind, name: stanza.label.text, command: block.string("plugin_cmd")?.value ?? "",
            arguments: block.strings("plugin_args")?.value ?? [],
            checksum: block.string("plugin_checksum")?.value ?? "", isEnabled: block.bool("enabled")?.value ?? true,
            data: block.tree("plugin_data"), dataFile: block.string("plugin_data_file")?.value ?? "",
            position: stanza.label.position)
        if plugin.data != nil, !plugin.dataFile.isEmpty {
            block.diagnostics.report(
                .plugin, key: block.path,
                """
                failed to create plugin config for "\(kind)"/"\(plugin.name)": only one of [plugin_data, \
                plugin_data_file] can be used
                """,
                at: plugin.position)
        }
        return plugin
    }
}
