// SPDX-License-Identifier: Apache-2.0

import Datastore
import HCL
import Issuance
import SPIFFE
import ServerAPI
import ServerRuntime
import Telemetry
import Testing

@Suite struct ServerConfigTests {
    static let plugins = """
        plugins {
          DataStore "sql" { plugin_data { database_type = "sqlite3"
            connection_string = "db.sqlite3" } }
          KeyManager "memory" { plugin_data {} }
        }

        """
    static let required = "trust_domain = \"example.org\"\ndata_dir = \"d\"\n"

    private func decode(
        _ body: String, _ rest: String = ServerConfigTests.plugins, flags: ServerFlags = ServerFlags()
    ) throws(ConfigError) -> ServerConfig {
        try ServerConfig.decode(
            Array("server {\n\(body)\n}\n\(rest)".utf8), path: "s.conf", flags: flags,
            environment: ["TD": "env.test"], workingDirectory: "/work")
    }

    private func problems(_ body: String, _ rest: String = ServerConfigTests.plugins) -> [ConfigProblem] {
        do {
            _ = try decode(body, rest)
            return []
        } catch {
            return error.problems
        }
    }

    @Test("what is not set has the documented default")
    func defaults() throws {
        let config = try decode(Self.required)
        #expect(config.bindAddress == "0.0.0.0" && config.bindPort == 8081)
        #expect(config.socketPath == "/tmp/spire-server/private/api.sock")
        #expect(config.caTTL == .seconds(86400) && config.agentTTL == nil)
        #expect(config.defaultX509SVIDTTL == .seconds(3600) && config.defaultJWTSVIDTTL == .seconds(300))
        #expect(config.caKeyType == .ecP256 && config.jwtKeyType == .ecP256)
        #expect(config.caSubject == ServerConfig.CASubject(country: ["US"], organization: ["SPIFFE"], commonName: ""))
        #expect(config.log == LogSettings(level: .info, format: .standard))
        #expect(config.rateLimit.attestation && config.rateLimit.signing)
        #expect(config.nodePruning == nil && config.federation == nil)
        #expect(config.experimental == ServerConfig.Experimental())
        #expect(config.notices.isEmpty)
    }

    @Test("every value of the file arrives, quoted numbers included")
    func values() throws {
        let config = try decode(
            """
            trust_domain = "spiffe://example.org"
            data_dir = "d"
            bind_address = "[::1]"
            bind_port = "9000"
            socket_path = "run/../api.sock"
            admin_ids = ["spiffe://example.org/a", "spiffe://other.test/b"]
            agent_ttl = "30m"
            ca_ttl = "48h"
            ca_key_type = "RSA-2048"
            ca_subject = { country = ["DE"], common_name = "cn", }
            jwt_issuer = "https://issuer"
            disable_jwt_svids = true
            audit_log_enabled = "true"
            log_level = "warn"
            log_format = "JSON"
            ratelimit { signing = false }
            prune_attested_nodes_expired_for = "1h"
            prune_tofu_nodes = true
            experimental { cache_reload_interval = "1s", agent_stream_age = "5m" }
            """)
        #expect(config.trustDomain.name == "example.org")
        #expect(config.bindAddress == "::1" && config.bindPort == 9000)
        #expect(config.socketPath == "/work/api.sock")
        #expect(config.adminIDs.map(\.description) == ["spiffe://example.org/a", "spiffe://other.test/b"])
        #expect(config.agentTTL == .seconds(1800) && config.caTTL == .seconds(172800))
        #expect(config.caKeyType == .rsa2048 && config.jwtKeyType == .rsa2048)
        #expect(config.caSubject == ServerConfig.CASubject(country: ["DE"], organization: [], commonName: "cn"))
        #expect(config.jwtSVIDsAreDisabled && config.auditLogIsEnabled)
        #expect(config.log == LogSettings(level: .warning, format: .json))
        #expect(config.rateLimit.attestation && !config.rateLimit.signing)
        #expect(config.nodePruning?.batchSize == 1000 && config.nodePruning?.includesTOFU == true)
        #expect(config.experimental.cacheReloadInterval == .seconds(1))
        #expect(config.experimental.agentStreamAge == .seconds(300))
        #expect(config.notices.map(\.message).contains { $0.hasPrefix("Experimental features have been enabled.") })
    }

    @Test("a flag wins over the file, and its zero value does not")
    func flags() throws {
        var flags = ServerFlags()
        flags.serverPort = 9999
        flags.logLevel = "debug"
        flags.trustDomain = ""
        flags.logSourceLocation = false
        let config = try decode(
            Self.required + "bind_port = 1\nlog_level = \"error\"\nlog_source_location = true", flags: flags)
        #expect(config.bindPort == 9999 && config.log.level == .debug)
        #expect(config.trustDomain.name == "example.org" && config.log.includesSourceLocation)
        let sources = config.origins.reduce(into: [:]) { $0[$1.key] = $1.source }
        #expect(sources["server.bind_port"] == .flag && sources["server.log_source_location"] == .file)
        #expect(sources["server.bind_address"] == .default)
    }

    @Test("the environment reaches the text only when asked for")
    func environment() throws {
        var flags = ServerFlags()
        flags.expandEnv = true
        let body = "trust_domain = \"$TD\"\ndata_dir = \"${NOTHING}d\""
        #expect(try decode(body, flags: flags).trustDomain.name == "env.test")
        #expect(problems(body).map(\.key) == ["server.trust_domain"])
    }

    @Test("the limits of a scoped administrator are taken as they stand")
    func scopedAdmin() throws {
        let id = try SPIFFEID("spiffe://example.org/ci/team-a")
        func body(_ selectors: String) -> String {
            """
            \(Self.required)
            scoped_admin "\(id)" {
              verbs = ["read", "create"]
              spiffe_id_prefixes = ["/team-a"]
              parent_id_prefixes = ["/node"]
              required_selectors = \(selectors)
              dns_names = ["*.Team-A.example.org"]
            }
            """
        }
        let scope = try #require(
            try decode(body("[\"k8s:ns:team-a\", \"unix:\u{301}x\"]")).scopedAdmins[id])
        #expect(scope.verbs == [.read, .create] && scope.dnsNames == ["*.team-a.example.org"])
        #expect(
            scope.requiredSelectors
                == [Selector(type: "k8s", value: "ns:team-a"), Selector(type: "unix", value: "\u{301}x")])
        for wrong in ["k8s", ":ns", "k8s:"] {
            let found = problems(body("[\"\(wrong)\"]"))
            #expect(found.count == 1 && found[0].message.contains("\"\(wrong)\" must be formatted as type:value"))
        }
    }

    @Test("all problems are reported at once, each with key and place")
    func allProblems() {
        let found = problems("data_dir = 5\nbind_port = \"x\"\nca_key_type = \"dsa\"\nlog_level = \"loud\"\nzap = 1")
        #expect(
            found.map(\.description) == [
                "unable to decode configuration at \"s.conf\": strconv.ParseInt: parsing \"x\": invalid syntax:"
                    + " server.bind_port must be a whole number, such as 8081 (s.conf:3:13)",
                "trust_domain must be configured",
                "error parsing ca_key_type: key type \"dsa\" is unknown; must be one of"
                    + " [rsa-2048, rsa-4096, ec-p256, ec-p384] (s.conf:4:15)",
                "could not start logger: not a valid logrus Level: \"loud\" (s.conf:5:13)",
                "unknown configuration detected: \"server.zap\" (s.conf:6:1)",
            ])
    }

    @Test(
        "what is wrong is said in the words scripts know",
        arguments: [
            ("trust_domain = \"A\"", "could not parse trust_domain \"A\": trust domain characters are limited to"),
            ("agent_ttl = \"1d\"", "could not parse agent ttl \"1d\": time: unknown unit \"d\" in duration \"1d\""),
            ("ca_ttl = \"-1h\"", "could not parse default CA ttl \"-1h\": a duration must not be negative"),
            ("admin_ids = [\"x\"]", "could not parse admin ID \"x\": scheme is missing or invalid"),
            ("log_format = \"xml\"", "could not start logger: unknown logger format: \"xml\""),
            ("bind_port = 70000", "could not resolve bind address \"0.0.0.0:70000\": address 70000: invalid port"),
            ("jwt_key_type = \"x\"", "error parsing jwt_key_type: key type \"x\" is unknown; must be one of"),
            (
                "experimental { feature_flags = [\"a\", \"b\"] }",
                "error loading feature flags: unknown feature flag(s): [a b]"
            ),
            (
                "experimental { named_pipe_name = \"x\" }",
                "invalid configuration: named_pipe_name is not supported in this"
            ),
            ("experimental { agent_stream_age = \"900ms\" }", "agent_stream_age must be between 1s and 24h"),
            ("experimental { agent_stream_age = \"25h\" }", "agent_stream_age must be between 1s and 24h"),
            ("experimental { full_cache_reload_interval = \"1s\" }", "full cache reload interval must be greater than"),
            (
                "prune_attested_nodes_expired_for = \"x\"",
                "could not parse prune_attested_nodes_expired_for: time: invalid"
            ),
        ])
    func wording(line: String, message: String) {
        let body = Self.required.split(separator: "\n").filter { !line.hasPrefix($0.prefix(9)) }.joined(separator: "\n")
        let found = problems(body + "\n" + line)
        #expect(found.count == 1 && found.first?.message.hasPrefix(message) == true, "\(found)")
        #expect(found.first?.position != nil)
    }

    @Test("missing sections and values are named")
    func missing() {
        func messages(_ text: String) -> [String] {
            do {
                _ = try ServerConfig.decode(Array(text.utf8), path: "s.conf")
                return []
            } catch {
                return error.problems.map(\.description)
            }
        }
        #expect(messages("") == ["server section must be configured", "plugins section must be configured"])
        #expect(
            messages("server {}\nplugins {}") == ["trust_domain must be configured", "data_dir must be configured"])
        #expect(
            messages("server {") == [
                "unable to decode configuration at \"s.conf\": At 1:10: object expected closing RBRACE got: EOF"
            ])
    }

    @Test("a file that is not there is named absolutely")
    func missingFile() {
        var flags = ServerFlags()
        flags.config = "no/such.conf"
        #expect {
            try ServerConfig.load(flags, environment: [:], workingDirectory: "/work")
        } throws: { error in
            "\(error)" == "could not find config file /work/no/such.conf: please use the -config flag"
        }
    }

    @Test("keys whose work is not done are refused by name, those left at their default are not")
    func pending() {
        let found = problems(
            Self.required + """
                federation { bundle_endpoint { profile "https_web" { acme { tos_accepted = true } } } }
                profiling_enabled = true
                experimental { require_pq_kem = true }
                """,
            Self.plugins + "telemetry { M3 = [{ address = \"localhost:9000\", env = \"prod\" }] }")
        #expect(found.allSatisfy { $0.kind == .notImplemented && $0.position != nil })
        #expect(
            found.map(\.key) == [
                "server.federation.bundle_endpoint.profile.\"https_web\".acme", "server.profiling_enabled",
                "telemetry.M3",
            ])
        #expect(found.first?.message.contains("is not implemented in this release") == true)
    }

    @Test("trusted proxies are ranges of addresses; each that is none is named with its place")
    func proxies() throws {
        let config = try decode(Self.required + "proxy_protocol_trusted_cidrs = [\"10.0.0.0/8\", \"fd00::/8\"]")
        #expect(config.proxyProtocolTrustedCIDRs.count == 2)
        let found = problems(Self.required + "proxy_protocol_trusted_cidrs = [\"10.0.0.0/8\", \"10.0.0.1\", \"x\"]")
        #expect(
            found.map(\.message) == [
                "invalid proxy_protocol_trusted_cidrs value \"10.0.0.1\": invalid CIDR address: 10.0.0.1",
                "invalid proxy_protocol_trusted_cidrs value \"x\": invalid CIDR address: x",
            ])
        #expect(found.allSatisfy { $0.position != nil })
    }

    @Test("where traces go is checked: an address and a part of a whole", arguments: [
        ("endpoint = \"127.0.0.1:4317\"", true), ("endpoint = \"http://collector:4317/\"\n sample_ratio = 0.25", true),
        ("endpoint = \"[::1]:4317\"\n sample_ratio = \"0\"", true), ("", false), ("endpoint = \"collector\"", false),
        ("endpoint = \"https://collector:4317\"", true), ("endpoint = \"a:0\"", false),
        ("endpoint = \"https://collector\"\n protocol = \"http\"\n ca_file = \"ca.pem\"", true),
        ("endpoint = \"http://collector/otlp/v1/traces\"\n protocol = \"http/protobuf\"", true),
        ("endpoint = \"http://collector/otlp/v1/traces\"", false), ("endpoint = \"https://u:p@collector\"", false),
        ("endpoint = \"a:1\"\n protocol = \"udp\"", false), ("endpoint = \"a:1\"\n ca_file = \"ca.pem\"", false),
        ("endpoint = \"a:1\"\n headers = [\"authorization=Bearer x\", \"x-scope=a=b\"]", true),
        ("endpoint = \"a:1\"\n headers = [\"authorization\"]", false),
        ("endpoint = \"a:1\"\n headers = [\"content-type=text/plain\"]", false),
        ("endpoint = \"a:1\"\n headers = [\"a=b\\nc: d\"]", false),
        ("endpoint = \"a:1\"\n sample_ratio = 1.5", false), ("endpoint = \"a:1\"\n sample_ratio = \"all\"", false),
        ("endpoint = \"a:1\"\n nonsense = 1", false),
    ])
    func traces(lines: String, isValid: Bool) {
        let found = problems(Self.required, Self.plugins + "telemetry { OpenTelemetry { \(lines) } }")
        #expect(found.isEmpty == isValid, "\(found)")
        #expect(found.allSatisfy { $0.position != nil })
    }

    @Test("lifetimes a rotating CA cannot grant in full are warned about")
    func lifetimes() throws {
        func warnings(_ lines: String) throws -> [String] { try decode(Self.required + lines).notices.map(\.message) }
        #expect(
            try warnings("default_x509_svid_ttl = \"5h\"") == [
                "default_x509_svid_ttl is too high for the configured ca_ttl value. SVIDs with shorter lifetimes may be"
                    + " issued. Please set default_x509_svid_ttl to 4h or less, or the ca_ttl to 30h or more,"
                    + " to guarantee the full default_x509_svid_ttl lifetime when CA rotations are scheduled."
            ])
        #expect(
            try warnings("agent_ttl = \"200h\"").first?.contains(
                "agent_ttl to 168h or less, and the ca_ttl to 1008h or more, to guarantee") == true)
        #expect(
            try warnings("agent_ttl = \"200h\"\nca_ttl = \"2000h\"").first?.contains(
                "agent_ttl is too high. SVIDs with shorter lifetimes may be issued. Please set agent_ttl to 168h or")
                == true)
        #expect(try warnings("agent_ttl = \"4h\"").isEmpty)
    }

    @Test("the federation section is read and checked, though not acted on")
    func federation() {
        let found = problems(
            Self.required + """
                federation {
                  bundle_endpoint { port = 8443
                    acme { domain_name = "a" }
                    profile "https_web" { } }
                  federates_with "b.test" { bundle_endpoint_url = "http://b.test"
                    bundle_endpoint_profile "https_spiffe" { endpoint_spiffe_id = "nope" } }
                  federates_with "c.test" { bundle_endpoint_url = "https://c.test" }
                }
                """)
        let expected = [
            "federation.bundle_endpoint.acme.email must be configured",
            "either bundle endpoint 'acme' or 'profile' can be set, but not both",
            "malformed https_web profile configuration: 'acme' or 'serving_cert_file' is required",
            "federation.federates_with[\"b.test\"].bundle_endpoint_url must use the HTTPS protocol;"
                + " URL found: \"http://b.test\"",
            "error parsing federation relationship for trust domain \"b.test\": could not get endpoint"
                + " SPIFFE ID: scheme is missing or invalid",
            "federation configuration for trust domain \"c.test\": missing bundle endpoint configuration",
        ]
        #expect(found.filter { $0.kind == .invalid }.map(\.message) == expected)
    }
}
