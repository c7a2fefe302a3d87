// SPDX-License-Identifier: Apache-2.0

/// A key that SPIRE has and this release does not do yet. Using it is an error, never silently ignored.
package struct PendingKey<Config>: Sendable {
    /// `section.key`.
    package let key: String
    /// Whether a configuration asks for it. A key that is set to its default asks for nothing.
    package let isUsed: @Sendable (Config) -> Bool

    package init(_ key: String, _ isUsed: @escaping @Sendable (Config) -> Bool) {
        self.key = key
        self.isUsed = isUsed
    }
}

extension ConfigFile {
    /// Reports each pending key that `config` uses.
    package func report<Config>(_ pending: [PendingKey<Config>], usedBy config: Config) {
        for entry in pending where entry.isUsed(config) {
            diagnostics.report(
                .notImplemented, key: entry.key,
                "\"\(entry.key)\" is not implemented in this release; remove it to start without",
                at: root.place(of: entry.key))
        }
    }
}
