// SPDX-License-Identifier: Apache-2.0

package import HCL
package import Issuance
package import SPIFFE
package import ServerAPI
package import Telemetry
package import Wire

/// A server's configuration: plain values, all defaults filled in, every rule checked.
///
/// Made by `ServerConfig.load` from flags and a file, or by hand for tests and the development mode.
package struct ServerConfig: Sendable {
    /// Required.
    package var trustDomain: TrustDomain
    /// Where the server keeps files. Required; created at start with mode 0755.
    package var dataDir: String
    /// Host name or IP address of the TCP listener, without brackets.
    package var bindAddress = "0.0.0.0"
    /// TCP port of the mutual-TLS API.
    package var bindPort = 8081
    /// Absolute path of the local API's Unix socket.
    package var socketPath = ServerConfig.defaultSocketPath
    /// IDs with admin rights over mutual TLS; may be of foreign trust domains.
    package var adminIDs: [SPIFFEID] = []
    /// IDs with some of those rights, and only with these.
    package var scopedAdmins: [SPIFFEID: AdminScope] = [:]
    /// Lifetime of agent SVIDs; `nil` means `defaultX509SVIDTTL`.
    package var agentTTL: Duration?
    package var defaultX509SVIDTTL: Duration = .seconds(3600)
    package var defaultJWTSVIDTTL: Duration = .seconds(300)
    /// Lifetime of self-signed CA certificates and of token signing keys.
    package var caTTL: Duration = .seconds(86400)
    package var caKeyType: KeyType = .ecP256
    package var jwtKeyType: KeyType = .ecP256
    package var caSubject = CASubject()
    /// The `iss` claim of JWT-SVIDs; empty leaves it out.
    package var jwtIssuer = ""
    /// `disable_jwt_svids`.
    package var jwtSVIDsAreDisabled = false
    package var auditLogIsEnabled = false
    /// `audit_log_file`, ours: the audit log as a stream of its own; empty for none.
    package var auditLogFile = ""
    package var log = LogSettings()
    package var rateLimit = RateLimit()
    /// How old a cached agent record may be when an agent calls; zero always reads the datastore.
    package var maxAttestedNodeInfoStaleness: Duration = .zero
    /// `nil` never removes expired agents.
    package var nodePruning: NodePruning?
    /// Address ranges whose PROXY headers are believed; empty turns PROXY protocol off.
    package var proxyProtocolTrustedCIDRs: [CIDRBlock] = []
    package var federation: Federation?
    package var experimental = Experimental()
    package var profiling = Profiling()
    package var telemetry = TelemetryConfig()
    package var healthChecks = HealthChecksConfig()
    /// Plugin stanzas in file order, disabled ones included.
    package var plugins: [PluginBlock] = []
    /// Path of the file it was read from, or empty.
    package var source = ""
    /// Log records to write once there is a logger: warnings about TTLs and the like.
    package var notices: [ConfigNotice] = []
    /// Where each resolved value came from, for `run --explain-config`.
    package var origins: [ConfigOrigin] = []

    package static let defaultSocketPath = "/tmp/spire-server/private/api.sock"
    package static let defaultPath = "conf/server/server.conf"

    package init(trustDomain: TrustDomain, dataDir: String) {
        self.trustDomain = trustDomain
        self.dataDir = dataDir
    }
}

extension ServerConfig {
    /// `ca_subject`: the subject of CA certificates. Setting any key replaces the whole default.
    package struct CASubject: Sendable, Hashable {
        package var country: [String]
        package var organization: [String]
        package var commonName: String

        package init(country: [String] = ["US"], organization: [String] = ["SPIFFE"], commonName: String = "") {
            self.country = country
            self.organization = organization
            self.commonName = commonName
        }
    }

    /// `ratelimit`: which per-address limits apply.
    package struct RateLimit: Sendable, Hashable {
        package var attestation = true
        package var signing = true
        package init() {}
    }

    /// `prune_*`: removal of agents whose SVIDs expired long ago.
    package struct NodePruning: Sendable, Hashable {
        package var expiredFor: Duration
        /// Most agents removed in one round.
        package var batchSize = 1000
        /// Also removes agents that cannot attest again.
        package var includesTOFU = false
        package init(expiredFor: Duration) { self.expiredFor = expiredFor }
    }

    /// `experimental`.
    package struct Experimental: Sendable, Hashable {
        package var cacheReloadInterval: Duration = .seconds(5)
        package var fullCacheReloadInterval: Duration = .seconds(86400)
        package var usesEventsBasedCache = false
        package var pruneEventsOlderThan: Duration = .seconds(43200)
        package var eventTimeout: Duration = .seconds(900)
        /// `agent_stream_age`, ours: after how long, give or take a third, an agent that follows changes is asked to choose a
        /// server anew.
        package var agentStreamAge: Duration = .seconds(1800)
        package var agentSPIFFEIDAsSelector = false
        package var requiresPQKEM = false
        /// `auth_opa_policy_engine` is there.
        package var authPolicyEngineIsConfigured = false
        /// `nil` means `caKeyType`.
        package var witKeyType: KeyType?
        package var witIssuer = ""
        package var featureFlags: [String] = []
        package var enablesWITSVIDs: Bool { featureFlags.contains("wit-svid") }
        package init() {}
    }

    /// `profiling_*`.
    package struct Profiling: Sendable, Hashable {
        package var isEnabled = false
        package var port = 0
        package var everySeconds = 0
        package var names: [String] = []
        package init() {}
    }
}
