// SPDX-License-Identifier: Apache-2.0

package import HCL
package import Issuance
package import SPIFFE
package import Telemetry

/// An agent's configuration: plain values, all defaults filled in, every rule checked.
///
/// Made by `AgentConfig.load` from flags and a file, or by hand for tests and the development mode.
package struct AgentConfig: Sendable {
    /// Required.
    package var trustDomain: TrustDomain
    /// Host name or IP address of the server. Required.
    package var serverAddress: String
    /// TCP port of the server. Required.
    package var serverPort: Int
    /// Where the agent keeps `agent-data.json`; created at start with mode 0755.
    package var dataDir = "."
    /// Absolute path of the Workload API's Unix socket.
    package var socketPath = AgentConfig.defaultSocketPath
    package var workloadAPIIsDisabled = false
    package var sdsAPIIsDisabled = false
    /// Absolute path of the admin API's Unix socket; empty turns the admin API off.
    package var adminSocketPath = ""
    /// How the agent first comes to trust the server.
    package var bootstrap: Bootstrap = .insecure
    package var rebootstrapMode: RebootstrapMode = .never
    package var rebootstrapDelay: Duration = .seconds(600)
    /// The token of `join_token` or the trimmed content of `join_token_file`; empty when neither is set.
    package var joinToken = ""
    /// Keys of workload X.509-SVIDs: `rsa2048`, `ecP256` or `ecP384`.
    package var workloadX509SVIDKeyType: KeyType = .ecP256
    /// How long workloads must survive without the server; at least 24 hours when set.
    package var availabilityTarget: Duration?
    /// Soft limit.
    package var x509SVIDCacheMaxSize = 1000
    /// Hard limit.
    package var jwtSVIDCacheMaxSize = 1000
    /// Serves bundle streams to callers without an identity.
    package var allowsUnauthenticatedVerifiers = false
    /// Claims returned for validated tokens of other trust domains besides `sub`, `exp` and `aud`.
    package var allowedForeignJWTClaims: [String] = []
    /// IDs that may use the delegated identity API.
    package var authorizedDelegates: [SPIFFEID] = []
    package var log = LogSettings()
    /// Selector prefixes that may be written to logs.
    package var logSelectors: [String] = []
    package var sds = SDS()
    package var experimental = Experimental()
    package var profiling = Profiling()
    package var telemetry = TelemetryConfig()
    package var healthChecks = HealthChecksConfig()
    /// Plugin stanzas in file order, disabled ones included.
    package var plugins: [PluginBlock] = []
    /// Path of the file it was read from, or empty.
    package var source = ""
    /// Log records to write once there is a logger.
    package var notices: [ConfigNotice] = []
    /// Where each resolved value came from, for `run --explain-config`.
    package var origins: [ConfigOrigin] = []

    package static let defaultSocketPath = "/tmp/spire-agent/public/api.sock"
    package static let defaultPath = "conf/agent/agent.conf"

    package init(trustDomain: TrustDomain, serverAddress: String, serverPort: Int) {
        self.trustDomain = trustDomain
        self.serverAddress = serverAddress
        self.serverPort = serverPort
    }
}

extension AgentConfig {
    /// Where the first trust bundle comes from.
    package enum Bootstrap: Sendable, Hashable {
        /// The first server that answers is believed.
        case insecure
        /// `trust_bundle_path`; read anew at every attempt.
        case file(path: String, format: BundleFormat)
        /// `trust_bundle_url`. With `unixSocket` (not empty) the request goes over that socket, in plain HTTP.
        case url(String, format: BundleFormat, unixSocket: String)
        /// `trust_bundle_spiffe_workload_api`: the address of a Workload API endpoint.
        case workloadAPI(String)
    }

    /// `trust_bundle_format`.
    package enum BundleFormat: String, Sendable, Hashable { case pem, spiffe }

    /// `rebootstrap_mode`: whether the agent may start over when it no longer trusts the server.
    package enum RebootstrapMode: String, Sendable, Hashable { case never, auto, always }

    /// `sds`.
    package struct SDS: Sendable, Hashable {
        package var defaultSVIDName = "default"
        package var defaultBundleName = "ROOTCA"
        package var defaultAllBundlesName = "ALL"
        package var disablesSPIFFECertificateValidation = false
        package init() {}
    }

    /// `experimental`.
    package struct Experimental: Sendable, Hashable {
        /// Time between two synchronisations with the server.
        package var syncInterval: Duration = .seconds(5)
        package var jwtSVIDCacheHitTimeout: Duration = .seconds(30)
        package var usesSyncAuthorizedEntries = true
        package var requiresPQKEM = false
        package var featureFlags: [String] = []
        package var rateLimit = RateLimit()
        package var broker: Broker?
        package init() {}
    }

    /// `experimental.ratelimit`: calls a second for one set of selectors; 0 is no limit.
    package struct RateLimit: Sendable, Hashable {
        package var fetchX509SVID = 0
        package var fetchJWTSVID = 0
        package var fetchX509Bundles = 0
        package var fetchJWTBundles = 0
        package var streamSecrets = 0
        package var fetchSecrets = 0
        package init() {}
    }

    /// `experimental.broker`.
    package struct Broker: Sendable, Hashable {
        package var socketPath = ""
        package var bindAddress = ""
        package var brokers: [AllowedBroker] = []
        package init() {}
    }

    /// `experimental.broker.brokers[]`: an ID and the reference types it may use, each with whether TCP is allowed.
    package struct AllowedBroker: Sendable, Hashable {
        package var id: SPIFFEID
        package var allowedReferenceTypes: [String: Bool]
        package init(id: SPIFFEID, allowedReferenceTypes: [String: Bool]) {
            self.id = id
            self.allowedReferenceTypes = allowedReferenceTypes
        }
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
