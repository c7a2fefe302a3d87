// SPDX-License-Identifier: Apache-2.0

/// One `Kind "name" { … }` stanza of the `plugins` section, as written.
package struct PluginBlock: Sendable, Hashable {
    /// `KeyManager`, `NodeAttestor`, ….
    package let kind: String
    package let name: String
    /// Path of an external plugin's executable; empty for a built-in.
    package let command: String
    package let arguments: [String]
    /// Hex SHA-256 of the executable, or empty.
    package let checksum: String
    package let isEnabled: Bool
    /// The body of `plugin_data`; `nil` when the block is absent.
    package let data: HCLObject?
    /// Path of `plugin_data_file`, or empty.
    package let dataFile: String
    package let position: HCLPosition

    package init(
        kind: String, name: String, command: String = "", arguments: [String] = [], checksum: String = "",
        isEnabled: Bool = true, data: HCLObject? = nil, dataFile: String = "", position: HCLPosition
    ) {
        self.kind = kind
        self.name = name
        self.command = command
        self.arguments = arguments
        self.checksum = checksum
        self.isEnabled = isEnabled
        self.data = data
        self.dataFile = dataFile
        self.position = position
    }

    package var isExternal: Bool { !command.isEmpty }
}
