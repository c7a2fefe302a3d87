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

    private func datastore(_ shelf: PluginShelf) -> ServerPlugins.SQL? {
        let found = shelf.enabled("DataStore")
        guard let plugin = found.first else {
            shelf.report(
                "DataStore", "expecting a DataStore plugin; add DataStore \"sql\" { plugin_data { … } } to plugins",
                at: nil)
            return nil
        }
        guard found.count == 1 else {
            shelf.report("DataStore", "only one DataStore plugin is allowed", at: found[1].position)
            return nil
        }
        guard plugin.name == "sql", !plugin.isExternal else {
            shelf.report(
                "DataStore",
                "pluggability for the DataStore is deprecated; only the built-in \"sql\" plugin is supported",
                at: plugin.position)
            return nil
        }
        return shelf.data(of: plugin, read: PluginFile.read).flatMap { sql($0, plugin, shelf) }
    }

    private func sql(_ data: HCLBlock, _ plugin: PluginBlock, _ shelf: PluginShelf) -> ServerPlugins.SQL? {
        guard let type = databaseType(data, plugin, shelf) else { return nil }
        let connection = data.string("connection_string")?.value ?? ""
        guard !connection.isEmpty else {
            shelf.report(
                data.fullName("connection_string"), "datastore-sql: connection_string must be set", at: plugin.position)
            return nil
        }
        var settings = ServerPlugins.SQL(databaseType: type, connectionString: connection)
        settings.readOnlyConnectionString = data.string("ro_connection_string")?.value ?? ""
        settings.maxOpenConnections = data.int("max_open_conns")?.value ?? 0
        settings.maxIdleConnections = data.int("max_idle_conns")?.value ?? settings.maxIdleConnections
        settings.migrationIsDisabled = data.bool("disable_migration")?.value ?? false
        settings.statementsAreLogged = data.bool("log_sql")?.value ?? false
        if let setting = data.string("conn_max_lifetime"), !setting.value.isEmpty {
            switch DurationText.parse(setting.value) {
            case .success(let lifetime): settings.connectionMaxLifetime = lifetime
            case .failure(let failure):
                shelf.report(
                    setting.key, "datastore-sql: failed to parse conn_max_lifetime \"\(setting.value)\": \(failure)",
                    at: setting.position)
            }
        }
        return settings
    }

    /// The type as a text, or as a labelled block for databases with cloud credentials.
    private func databaseType(_ data: HCLBlock, _ plugin: PluginBlock, _ shelf: PluginShelf) -> String? {
        let key = data.fullName("database_type")
        guard let position = data.place(of: "database_type") else {
            shelf.report(key, "datastore-sql: database_type must be set", at: plugin.position)
            return nil
        }
        if let labels = data.labels(of: "database_type") {
            guard labels.count == 1, let label = labels.first else {
                shelf.report(key, "datastore-sql: exactly one database type is expected", at: position)
                return nil
            }
            guard ["aws_mysql", "aws_postgres"].contains(label) else {
                shelf.report(key, "datastore-sql: unknown database type: \(label)", at: position)
                return nil
            }
            shelf.notImplemented(key, "database_type \"\(label)\"", remedy: "use \"sqlite3\"", at: position)
            return nil
        }
        guard let type = data.string("database_type")?.value else { return nil }
        switch type {
        case "sqlite3": return type
        case "": shelf.report(key, "datastore-sql: database_type must be set", at: position)
        case "postgres", "mysql":
            shelf.notImplemented(key, "database_type \"\(type)\"", remedy: "use \"sqlite3\"", at: position)
        default: shelf.report(key, "datastore-sql: unsupported database_type: \(type)", at: position)
        }
        return nil
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
