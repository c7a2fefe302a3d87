// SPDX-License-Identifier: Apache-2.0

package import HCL

extension TelemetryConfig {
    /// Reads the `telemetry` section.
    package static func decode(_ block: HCLBlock) -> TelemetryConfig {
        var config = TelemetryConfig()
        config.prometheus = block.block("Prometheus").map(prometheus)
        config.dogStatsd = block.blocks("DogStatsd").map { sink($0, section: "DogStatsd") }
        config.statsd = block.blocks("Statsd").map { sink($0, section: "Statsd") }
        config.m3 = block.blocks("M3").map { sink($0, section: "M3") }
        if let inMemory = block.block("InMem") {
            // An old key that reference files still show.
            config.inMemory = inMemory.bool("enabled")?.value ?? true
            inMemory.finish(section: "InMem")
        }
        config.traces = block.block("OpenTelemetry").flatMap(Traces.decode)
        config.metricPrefix = block.string("MetricPrefix")?.value ?? ""
        config.enablesTrustDomainLabel = block.bool("EnableTrustDomainLabel")?.value ?? false
        config.enablesHostnameLabel = block.bool("EnableHostnameLabel")?.value ?? true
        config.allowedPrefixes = block.strings("AllowedPrefixes")?.value ?? []
        config.blockedPrefixes = block.strings("BlockedPrefixes")?.value ?? []
        config.allowedLabels = block.strings("AllowedLabels")?.value ?? []
        config.blockedLabels = block.strings("BlockedLabels")?.value ?? []
        block.finish(section: "telemetry", isTolerant: true)
        return config
    }

    private static func sink(_ block: HCLBlock, section: String) -> Sink {
        let sink = Sink(
            address: block.string("address")?.value ?? "",
            environment: section == "M3" ? block.string("env")?.value ?? "" : "")
        block.finish(section: section)
        return sink
    }

    private static func prometheus(_ block: HCLBlock) -> Prometheus {
        var prometheus = Prometheus()
        if let host = block.string("host")?.value, !host.isEmpty { prometheus.host = host }
        prometheus.port = block.int("port")?.value ?? 0
        if !(0...65535).contains(prometheus.port) {
            block.diagnostics.report(
                .invalid, key: block.fullName("port"), "\(block.fullName("port")) must be a port, 0 to 65535",
                at: block.place(of: "port"))
        }
        prometheus.tls = block.block("tls").map(tls)
        block.finish(section: "Prometheus")
        return prometheus
    }

    private static func tls(_ block: HCLBlock) -> TLS {
        var tls = TLS()
        tls.certificateFile = block.string("cert_file")?.value ?? ""
        tls.keyFile = block.string("key_file")?.value ?? ""
        tls.clientCAFile = block.string("client_ca_file")?.value ?? ""
        tls.usesOwnSVID = block.bool("use_spire_svid")?.value ?? false
        tls.authorizedIDs = block.strings("authorized_spiffe_ids")?.value ?? []
        block.finish(section: "Prometheus TLS", isTolerant: true)
        let problem: String? =
            if tls.usesOwnSVID, !tls.certificateFile.isEmpty || !tls.keyFile.isEmpty {
                "cert_file and key_file cannot be configured when use_spire_svid is enabled"
            } else if !tls.usesOwnSVID, tls.certificateFile.isEmpty || tls.keyFile.isEmpty {
                "cert_file and key_file must both be configured unless use_spire_svid is enabled"
            } else if !tls.clientCAFile.isEmpty, !tls.authorizedIDs.isEmpty {
                "client_ca_file cannot be configured with authorized_spiffe_ids"
            } else {
                nil
            }
        if let problem {
            block.diagnostics.report(
                .invalid, key: block.path, "failed to create TLS config for Prometheus: \(problem)", at: block.position)
        }
        return tls
    }

    /// Whether any sink is configured.
    package var hasSinks: Bool {
        prometheus != nil || inMemory || !dogStatsd.isEmpty || !statsd.isEmpty || !m3.isEmpty
    }
}

extension HealthChecksConfig {
    /// Reads the `health_checks` section.
    package static func decode(_ block: HCLBlock) -> HealthChecksConfig {
        var config = HealthChecksConfig()
        config.isEnabled = block.bool("listener_enabled")?.value ?? false
        func text(_ key: String, _ place: WritableKeyPath<HealthChecksConfig, String>) {
            if let value = block.string(key)?.value, !value.isEmpty { config[keyPath: place] = value }
        }
        text("bind_address", \.bindAddress)
        text("bind_port", \.bindPort)
        text("live_path", \.livePath)
        text("ready_path", \.readyPath)
        config.bindAddress = HostText.withoutBrackets(config.bindAddress)
        block.finish(section: "health check")
        return config
    }
}

/// Host names as text.
package enum HostText {
    /// `[::1]` becomes `::1`; anything else stays.
    package static func withoutBrackets(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }
}
