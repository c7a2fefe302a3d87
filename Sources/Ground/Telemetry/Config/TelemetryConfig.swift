// SPDX-License-Identifier: Apache-2.0

/// The `telemetry` section: which metric sinks there are.
package struct TelemetryConfig: Sendable, Hashable {
    /// The `Prometheus` exporter.
    package struct Prometheus: Sendable, Hashable {
        package var host = "localhost"
        package var port = 0
        package var tls: TLS?

        package init() {}
    }

    /// `Prometheus.tls`.
    package struct TLS: Sendable, Hashable {
        package var certificateFile = ""
        package var keyFile = ""
        package var clientCAFile = ""
        package var usesOwnSVID = false
        package var authorizedIDs: [String] = []

        package init() {}
    }

    /// The address of a push sink. `environment` is M3's `env`.
    package struct Sink: Sendable, Hashable {
        package var address: String
        package var environment: String

        package init(address: String, environment: String = "") {
            self.address = address
            self.environment = environment
        }
    }

    /// Where something is reached.
    package struct Endpoint: Sendable, Hashable {
        package var host: String
        package var port: Int
        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// A header of HTTP or gRPC, its name in lower case. It does not print: its value may be a secret.
    package struct Header: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
        package let name: String
        package let value: String
        package var description: String { name }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// `OpenTelemetry`, ours: where traces go.
    package struct Traces: Sendable, Hashable {
        package enum Carrier: Sendable, Hashable { case grpc, http }

        /// A collector that takes OTLP.
        package var endpoint: Endpoint
        package var carrier = Carrier.grpc
        package var usesTLS = false
        /// PEM certificates of those who vouch for the collector; empty for the machine's own.
        package var caFile = ""
        /// Of the collector's URL, where it is asked over HTTP.
        package var path = "/v1/traces"
        /// Sent with each export, such as a collector's token.
        package var headers: [Header] = []
        /// Which part of the traces that begin here is kept, 0 to 1.
        package var ratio: Double

        package init(endpoint: Endpoint, ratio: Double = 1) {
            self.endpoint = endpoint
            self.ratio = ratio
        }
    }

    package var prometheus: Prometheus?
    /// `nil` when nothing is traced.
    package var traces: Traces?
    package var dogStatsd: [Sink] = []
    package var statsd: [Sink] = []
    package var m3: [Sink] = []
    package var inMemory = false
    /// First part of every metric name; empty means the program's own (`spire_server`, `spire_agent`).
    package var metricPrefix = ""
    package var enablesTrustDomainLabel = false
    package var enablesHostnameLabel = true
    package var allowedPrefixes: [String] = []
    package var blockedPrefixes: [String] = []
    package var allowedLabels: [String] = []
    package var blockedLabels: [String] = []

    package init() {}
}

/// The `health_checks` section: the HTTP listener for liveness and readiness.
package struct HealthChecksConfig: Sendable, Hashable {
    package var isEnabled = false
    /// Host to listen on, without brackets.
    package var bindAddress = "localhost"
    package var bindPort = "80"
    package var livePath = "/live"
    package var readyPath = "/ready"

    package init() {}
}
