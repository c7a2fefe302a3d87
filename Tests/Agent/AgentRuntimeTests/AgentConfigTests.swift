// SPDX-License-Identifier: Apache-2.0

import AgentRuntime
import FoundationEssentials
import HCL
import Issuance
import SPIFFE
import Telemetry
import Testing

@Suite struct AgentConfigTests {
    static let plugins = """
        plugins {
          KeyManager "memory" { plugin_data {} }
          NodeAttestor "join_token" {}
          WorkloadAttestor "unix" {}
        }

        """
    static let required = "trust_domain = \"example.org\"\nserver_address = \"s\"\nserver_port = \"8081\"\n"
    static let complete = required + "insecure_bootstrap = true\n"

    private func decode(
        _ body: String, _ rest: String = AgentConfigTests.plugins, flags: AgentFlags = AgentFlags()
    ) throws(ConfigError) -> AgentConfig {
        try AgentConfig.decode(
            Array("agent {\n\(body)\n}\n\(rest)".utf8), path: "a.conf", flags: flags, workingDirectory: "/work")
    }

    private func messages(_ body: String, _ rest: String = AgentConfigTests.plugins) -> [String] {
        do {
            _ = try decode(body, rest)
            return []
        } catch {
            return error.problems.map(\.message)
        }
    }

    @Test("what is not set has the documented default")
    func defaults() throws {
        let config = try decode(Self.complete)
        #expect(config.serverPort == 8081 && config.dataDir == "." && config.bootstrap == .insecure)
        #expect(config.socketPath == "/tmp/spire-agent/public/api.sock" && config.adminSocketPath.isEmpty)
        #expect(config.rebootstrapMode == .never && config.rebootstrapDelay == .seconds(600))
        #expect(config.workloadX509SVIDKeyType == .ecP256 && config.availabilityTarget == nil)
        #expect(config.x509SVIDCacheMaxSize == 1000 && config.jwtSVIDCacheMaxSize == 1000)
        #expect(config.experimental == AgentConfig.Experimental() && config.sds == AgentConfig.SDS())
        #expect(config.log == LogSettings() && config.joinToken.isEmpty)
    }

    @Test("every value of the file arrives")
    func values() throws {
        let config = try decode(
            Self.required + """
                data_dir = "d"
                socket_path = "s.sock"
                trust_bundle_url = "https://x/b"
                trust_bundle_format = "spiffe"
                rebootstrap_mode = "auto"
                rebootstrap_delay = "1m"
                join_token = "t"
                workload_x509_svid_key_type = "EC-P384"
                availability_target = "24h"
                x509_svid_cache_max_size = 5
                allow_unauthenticated_verifiers = true
                allowed_foreign_jwt_claims = ["a"]
                disable_sds_api = true
                experimental { sync_interval = "1s" }
                """)
        #expect(config.socketPath == "/work/s.sock" && config.dataDir == "d")
        #expect(config.bootstrap == .url("https://x/b", format: .spiffe, unixSocket: ""))
        #expect(config.rebootstrapMode == .auto && config.rebootstrapDelay == .seconds(60))
        #expect(config.joinToken == "t" && config.workloadX509SVIDKeyType == .ecP384)
        #expect(config.availabilityTarget == .seconds(86400) && config.x509SVIDCacheMaxSize == 5)
        #expect(config.allowsUnauthenticatedVerifiers && config.allowedForeignJWTClaims == ["a"])
        #expect(config.sdsAPIIsDisabled && config.experimental.syncInterval == .seconds(1))
    }

    @Test("flags win over the file and complete it; a token is never shown")
    func flags() throws {
        var flags = AgentFlags()
        flags.joinToken = "hunter2"
        flags.trustBundle = "b.pem"
        flags.serverPort = 1
        let config = try decode(Self.required, flags: flags)
        #expect(config.joinToken == "hunter2" && config.serverPort == 1)
        #expect(config.bootstrap == .file(path: "b.pem", format: .pem))
        #expect(!config.origins.map(\.description).joined().contains("hunter2"))
    }

    @Test("a join token file is read and trimmed; a missing or empty one is an error")
    func joinTokenFile() throws {
        let path = FileManager.default.temporaryDirectory.path + "/token-\(UInt64.random(in: .min ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data(" \n abc-def\n\n".utf8).write(to: URL(filePath: path))
        #expect(try decode(Self.complete + "join_token_file = \"\(path)\"").joinToken == "abc-def")
        try Data("\n ".utf8).write(to: URL(filePath: path))
        #expect(messages(Self.complete + "join_token_file = \"\(path)\"") == ["join token file is empty"])
        #expect(
            messages(Self.complete + "join_token_file = \"/nonexistent\"") == [
                "unable to read join token file \"/nonexistent\": open /nonexistent: no such file or directory"
            ])
    }

    @Test(
        "ways to get the first bundle that exclude one another are refused",
        arguments: [
            (
                "",
                """
                trust_bundle_path, trust_bundle_url, or trust_bundle_spiffe_workload_api must be configured unless \
                insecure_bootstrap is set
                """
            ),
            (
                "insecure_bootstrap = true\ntrust_bundle_url = \"u\"",
                "only one of insecure_bootstrap or trust_bundle_url can be specified, not both"
            ),
            (
                "insecure_bootstrap = true\ntrust_bundle_path = \"p\"",
                "only one of insecure_bootstrap or trust_bundle_path can be specified, not both"
            ),
            (
                "trust_bundle_url = \"u\"\ntrust_bundle_path = \"p\"",
                "only one of trust_bundle_url or trust_bundle_path can be specified, not both"
            ),
            (
                "insecure_bootstrap = true\ntrust_bundle_url = \"u\"\ntrust_bundle_path = \"p\"",
                """
                only one of insecure_bootstrap, trust_bundle_url, or trust_bundle_path can be specified, not the \
                three options
                """
            ),
            (
                "insecure_bootstrap = true\ntrust_bundle_spiffe_workload_api = \"unix:///x\"",
                "only one of insecure_bootstrap or trust_bundle_spiffe_workload_api can be specified, not both"
            ),
            ("trust_bundle_url = \"http://x\"", "trust bundle URL must start with https://"),
            (
                "trust_bundle_path = \"p\"\ntrust_bundle_format = \"der\"",
                "invalid value for trust_bundle_format, expected \"pem\" or \"spiffe\""
            ),
            (
                "trust_bundle_path = \"p\"\ntrust_bundle_unix_socket = \"s\"",
                "if trust_bundle_unix_socket is specified, so must be trust_bundle_url"
            ),
            (
                "insecure_bootstrap = true\nrebootstrap_mode = \"auto\"",
                "insecure_bootstrap option can not be used with rebootstrapping"
            ),
        ])
    func bootstrap(lines: String, message: String) {
        #expect(messages(Self.required + lines) == [message])
    }

    @Test(
        "what is wrong is said in the words scripts know",
        arguments: [
            (
                "join_token = \"a\"\njoin_token_file = \"b\"",
                "only one of join_token or join_token_file can be specified, not both"
            ),
            ("rebootstrap_mode = \"x\"", "unknown rebootstrap mode specified: x"),
            ("rebootstrap_delay = \"x\"", "error parsing rebootstrap delay duration: time: invalid duration \"x\""),
            (
                "workload_x509_svid_key_type = \"rsa-4096\"",
                "key type \"rsa-4096\" is unknown; must be one of [rsa-2048, ec-p256, ec-p384]"
            ),
            ("availability_target = \"1h\"", "availability_target must be at least 24h0m0s"),
            ("x509_svid_cache_max_size = -1", "x509_svid_cache_max_size should not be negative"),
            ("log_format = \"x\"", "could not start logger: unknown logger format: \"x\""),
            (
                "authorized_delegates = [\"spiffe://other.test/x\"]",
                """
                error validating authorized delegate: "spiffe://other.test/x" is not a member of trust domain \
                "example.org"
                """
            ),
            (
                "admin_socket_path = \"/tmp/spire-agent/public/a/b\"",
                """
                admin socket cannot be in the same directory or a subdirectory as that containing the Workload API \
                socket
                """
            ),
            (
                "experimental { sync_interval = \"x\" }",
                "could not parse synchronization interval: time: invalid duration \"x\""
            ),
            ("experimental { jwt_svid_cache_hit_timeout = \"1s\" }", "must be greater than 5s"),
            (
                "experimental { ratelimit { fetch_secrets = -1 } }",
                "experimental.ratelimit.fetch_secrets must not be negative"
            ),
            ("experimental { broker {} }", "experimental.broker requires socket_path, bind_address, or both"),
            (
                "experimental { named_pipe_name = \"x\" }",
                """
                invalid configuration: named_pipe_name is not supported in this platform; please use socket_path \
                instead
                """
            ),
        ])
    func wording(lines: String, message: String) {
        #expect(messages(Self.complete + lines).first == message)
    }

    @Test("missing sections and values are named, unknown keys with the key that was meant")
    func missing() {
        #expect(
            messages("") == [
                "server_address must be configured", "server_port must be configured",
                "trust_domain must be configured",
                "trust_bundle_path, trust_bundle_url, or trust_bundle_spiffe_workload_api must be configured unless"
                    + " insecure_bootstrap is set",
            ])
        #expect(messages(Self.complete, "") == ["plugins section must be configured"])
        #expect(
            messages(Self.complete + "server_adress = \"x\"") == [
                "unknown configuration detected: \"agent.server_adress\"; did you mean \"server_address\"?"
            ])
    }

    @Test("keys whose work is not done are refused by name")
    func pending() {
        let lines = """
            admin_socket_path = "/run/admin.sock"
            sds { default_svid_name = "x" }
            experimental { require_pq_kem = true }
            """
        do {
            _ = try decode(Self.complete + lines)
            Issue.record("must be refused")
        } catch {
            #expect(error.problems.allSatisfy { $0.kind == .notImplemented && $0.position != nil })
            #expect(
                error.problems.map(\.key) == [
                    "agent.admin_socket_path", "agent.sds",
                ])
        }
    }

    @Test("plugins are decoded, and what is missing or unknown is named")
    func plugins() throws {
        let plugins = try decode(
            Self.complete,
            """
            plugins { KeyManager "disk" { plugin_data { directory = "d" } }
              NodeAttestor "join_token" { plugin_data {} }
              WorkloadAttestor "unix" { plugin_data { discover_workload_path = true } } }
            """
        ).resolvedPlugins()
        var unix = AgentPlugins.Unix()
        unix.discoversWorkloadPath = true
        #expect(plugins.keyManager == .disk(directory: "d") && plugins.nodeAttestor == "join_token")
        #expect(plugins.workloadAttestors == [.unix(unix)])
        let config = try decode(Self.complete, "plugins { KeyManager \"disk\" {}\n WorkloadAttestor \"dockr\" {} }")
        #expect {
            try config.resolvedPlugins()
        } throws: { error in
            (error as? ConfigError)?.problems.map(\.message) == [
                "failed to load plugin \"dockr\": no built-in plugin \"dockr\" for type \"WorkloadAttestor\";"
                    + " did you mean \"docker\"?",
                "plugin type \"NodeAttestor\" constraint not satisfied: expected exactly 1 but got 0;"
                    + " there are: join_token",
                "failed to configure plugin \"disk\": directory must be configured",
            ]
        }
    }
}
