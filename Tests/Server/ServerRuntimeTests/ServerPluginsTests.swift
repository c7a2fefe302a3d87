// SPDX-License-Identifier: Apache-2.0

import HCL
import ServerRuntime
import Testing

@Suite struct ServerPluginsTests {
    private static let sql = """
        DataStore "sql" { plugin_data { database_type = "sqlite3"
          connection_string = "c" } }

        """
    private static let memory = "KeyManager \"memory\" { plugin_data = {} }\n"

    private func resolve(_ plugins: String) throws(ConfigError) -> ServerPlugins {
        try ServerConfig.decode(
            Array("server { \(ServerConfigTests.required) }\nplugins {\n\(plugins)\n}".utf8), path: "s.conf"
        ).resolvedPlugins()
    }

    private func problems(_ plugins: String) -> [ConfigProblem] {
        do {
            _ = try resolve(plugins)
            return []
        } catch {
            return error.problems
        }
    }

    @Test("plugins that exist are decoded, in every form of block, disabled ones left out")
    func decoding() throws {
        let plugins = try resolve(
            Self.sql + """
                KeyManager "memory" { enabled = false }
                KeyManager { "disk" { plugin_data { keys_path = "k.json" } } }
                NodeAttestor "join_token" { plugin_data {} }
                """)
        #expect(plugins.datastore == ServerPlugins.SQL(databaseType: "sqlite3", connectionString: "c"))
        #expect(plugins.keyManager == .disk(keysPath: "k.json"))
        #expect(plugins.nodeAttestors == ["join_token"])
    }

    @Test("the JSON form of the whole file works")
    func json() throws {
        let text = """
            {"server": {"trust_domain": "example.org", "data_dir": "d", "bind_port": 8081},
             "telemetry": [],
             "plugins": {
               "DataStore": [{"sql": {"plugin_data": {"database_type": "sqlite3", "connection_string": "c"}}}],
               "KeyManager": [{"memory": {"plugin_data": null}}],
               "NodeAttestor": [{"join_token": {"plugin_data": null}}]}}
            """
        let plugins = try ServerConfig.decode(Array(text.utf8), path: "s.json").resolvedPlugins()
        #expect(plugins.keyManager == .memory && plugins.nodeAttestors == ["join_token"])
    }

    @Test("missing plugins are named with what there is")
    func missing() {
        #expect(
            problems("").map(\.description) == [
                "expecting a DataStore plugin; add DataStore \"sql\" { plugin_data { … } } to plugins",
                "plugin type \"KeyManager\" constraint not satisfied: expected exactly 1 but got 0;"
                    + " there are: disk, memory",
            ])
    }

    @Test(
        "a plugin that cannot be is refused in the words scripts know, with the remedy",
        arguments: [
            (
                "KeyManager \"disc\" {}",
                """
                failed to load plugin "disc": no built-in plugin "disc" for type "KeyManager"; did you mean "disk"?
                """
            ),
            ("Keymanager \"memory\" {}", "unsupported plugin type \"Keymanager\"; did you mean \"KeyManager\"?"),
            ("KeyManager \"disk\" {}", "failed to configure plugin \"disk\": keys_path is required"),
            (
                "KeyManager \"memory\" { plugin_data { a = 1 } }",
                """
                failed to configure plugin "memory": no supported configuration interface found; memory takes no \
                settings
                """
            ),
            (
                "KeyManager \"aws_kms\" {}",
                "KeyManager \"aws_kms\" is not implemented in this release; use one of: disk, memory"
            ),
            (
                "KeyManager \"mine\" { plugin_cmd = \"/bin/x\" }",
                """
                plugin_cmd, an external plugin (KeyManager "mine"), is not implemented in this release; use a \
                built-in one
                """
            ),
            (
                "KeyManager \"disk\" { plugin_data_file = \"/nonexistent\" }",
                """
                failed to configure plugin "disk": unable to read plugin_data_file: open /nonexistent: no such file \
                or directory
                """
            ),
        ])
    func refused(plugin: String, message: String) {
        let found = problems(Self.sql + plugin).filter { !$0.message.contains("constraint not satisfied") }
        #expect(found.map(\.message) == [message])
        #expect(found.first?.position?.line ?? 0 >= 5)
    }

    @Test(
        "the datastore's settings are checked",
        arguments: [
            ("", "datastore-sql: database_type must be set"),
            ("database_type = \"sqlite3\"", "datastore-sql: connection_string must be set"),
            ("database_type = \"oracle\"", "datastore-sql: unsupported database_type: oracle"),
            (
                "database_type = \"mysql\"\nconnection_string = \"u:secret@tcp(h)/d\"",
                "datastore-sql: invalid mysql config: missing parseTime=true param in connection_string"
            ),
            (
                "database_type = \"postgres\"\nconnection_string = \"password=secret oops\"",
                "datastore-sql: connection_string: missing \"=\" after the first 20 characters"
            ),
            (
                "database_type = \"sqlite3\"\nconnection_string = \"c\"\nconn_max_lifetime = \"long\"",
                "datastore-sql: failed to parse conn_max_lifetime \"long\": time: invalid duration \"long\""
            ),
            (
                "database_type \"aws_mysql\" { region = \"r\" }",
                """
                database_type "aws_mysql", logging in to the database by an AWS credential, is not implemented in this \
                release; use "mysql" with a password in connection_string
                """
            ),
            ("database_type \"x\" {}", "datastore-sql: unknown database type: x"),
        ])
    func datastore(settings: String, message: String) {
        let found = problems("DataStore \"sql\" { plugin_data {\n\(settings)\n} }\n" + Self.memory)
        #expect(found.map(\.message) == [message])
    }

    @Test("every setting of the datastore arrives")
    func datastoreSettings() throws {
        let plugins = try resolve(
            """
            DataStore "sql" { plugin_data {
                database_type = "mysql"
                connection_string = "u:p@tcp(h:1)/d?parseTime=true"
                ro_connection_string = "u:p@tcp(r:1)/d?parseTime=true"
                root_ca_path = "ca"
                client_cert_path = "cert"
                client_key_path = "key"
                max_open_conns = 7
                max_idle_conns = 3
                conn_max_lifetime = "90s"
                disable_migration = true
                log_sql = true
                not_a_key = "ignored as the original does"
            } }
            """ + Self.memory)
        var expected = ServerPlugins.SQL(databaseType: "mysql", connectionString: "u:p@tcp(h:1)/d?parseTime=true")
        expected.readOnlyConnectionString = "u:p@tcp(r:1)/d?parseTime=true"
        expected.rootCAPath = "ca"
        expected.clientCertPath = "cert"
        expected.clientKeyPath = "key"
        expected.maxOpenConnections = 7
        expected.maxIdleConnections = 3
        expected.connectionMaxLifetime = .seconds(90)
        expected.migrationIsDisabled = true
        expected.statementsAreLogged = true
        #expect(plugins.datastore == expected)
    }

    @Test("a datastore of another name or a second one is refused")
    func otherDatastore() {
        #expect(
            problems("DataStore \"mine\" {}\n" + Self.memory).map(\.message) == [
                "pluggability for the DataStore is deprecated; only the built-in \"sql\" plugin is supported"
            ])
        #expect(
            problems(Self.sql + "DataStore \"more\" {}\n" + Self.memory).map(\.message) == [
                "only one DataStore plugin is allowed"
            ])
    }

    @Test("a plugin declared twice, or with settings from two places, is refused while loading")
    func structure() {
        #expect(
            problems(Self.sql + Self.memory + Self.memory).map(\.message) == [
                "plugin \"KeyManager\"/\"memory\" declared more than once"
            ])
        #expect(
            problems(Self.sql + "KeyManager \"disk\" { plugin_data {}\n plugin_data_file = \"x\" }").map(\.message) == [
                "failed to create plugin config for \"KeyManager\"/\"disk\": only one of [plugin_data,"
                    + " plugin_data_file] can be used"
            ])
    }
}
