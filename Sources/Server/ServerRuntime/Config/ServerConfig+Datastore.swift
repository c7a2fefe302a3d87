// SPDX-License-Identifier: Apache-2.0

import HCL
import MySQLDriver
import PostgresDriver

extension ServerConfig {
    /// The settings of `DataStore "sql"`; `nil` when they are wrong, which has been reported then.
    func datastore(_ shelf: PluginShelf) -> ServerPlugins.SQL? {
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
        settings.rootCAPath = data.string("root_ca_path")?.value ?? ""
        settings.clientCertPath = data.string("client_cert_path")?.value ?? ""
        settings.clientKeyPath = data.string("client_key_path")?.value ?? ""
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
        guard connectionStringsAreRight(settings, data, plugin, shelf) else { return nil }
        return settings
    }

    /// Connection strings are read here already, so that `validate` finds what is wrong with them.
    private func connectionStringsAreRight(
        _ settings: ServerPlugins.SQL, _ data: HCLBlock, _ plugin: PluginBlock, _ shelf: PluginShelf
    ) -> Bool {
        func check(_ key: String, _ read: (String) throws -> Void) -> Bool {
            guard let setting = data.string(key), !setting.value.isEmpty else { return true }
            do {
                try read(setting.value)
                return true
            } catch {
                shelf.report(setting.key, "\(error)", at: setting.position)
                return false
            }
        }
        switch settings.databaseType {
        case "postgres":
            let isRight = check("connection_string") { _ = try PostgresLocation($0) }
            return check("ro_connection_string") { _ = try PostgresLocation($0) } && isRight
        case "mysql":
            let isRight = check("connection_string") { _ = try MySQLLocation($0) }
            return check("ro_connection_string") { _ = try MySQLLocation($0) } && isRight
        default: return true
        }
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
            shelf.notImplemented(
                key, "database_type \"\(label)\", logging in to the database by an AWS credential,",
                remedy: "use \"\(label.dropFirst(4))\" with a password in connection_string", at: position)
            return nil
        }
        guard let type = data.string("database_type")?.value else { return nil }
        switch type {
        case "sqlite3", "postgres", "mysql": return type
        case "": shelf.report(key, "datastore-sql: database_type must be set", at: position)
        default: shelf.report(key, "datastore-sql: unsupported database_type: \(type)", at: position)
        }
        return nil
    }
}
