// SPDX-License-Identifier: Apache-2.0

import HCL

extension ServerConfigReader {
    mutating func lifetimes(_ config: inout ServerConfig, _ server: HCLBlock) {
        config.agentTTL = lifetime(server, "agent_ttl", "agent ttl")
        config.defaultX509SVIDTTL =
            lifetime(server, "default_x509_svid_ttl", "default X509 SVID ttl") ?? config.defaultX509SVIDTTL
        config.defaultJWTSVIDTTL =
            lifetime(server, "default_jwt_svid_ttl", "default JWT SVID ttl") ?? config.defaultJWTSVIDTTL
        config.caTTL = lifetime(server, "ca_ttl", "default CA ttl") ?? config.caTTL
        config.maxAttestedNodeInfoStaleness =
            resolver.duration(
                "server.max_attested_node_info_staleness", file: server.string("max_attested_node_info_staleness"),
                default: .zero, diagnostics, complaint: { "could not parse max attested node staleness \"\($0)\"" })
            ?? .zero
    }

    /// A lifetime; zero counts as not set.
    private mutating func lifetime(_ server: HCLBlock, _ key: String, _ name: String) -> Duration? {
        let value = resolver.duration(
            server.fullName(key), file: server.string(key), diagnostics,
            complaint: { "could not parse \(name) \"\($0)\"" })
        return value == .zero ? nil : value
    }

    mutating func pruning(_ config: inout ServerConfig, _ server: HCLBlock) {
        let age = resolver.duration(
            "server.prune_attested_nodes_expired_for", file: server.string("prune_attested_nodes_expired_for"),
            diagnostics, complaint: { _ in "could not parse prune_attested_nodes_expired_for" })
        let size = resolver.int(
            "server.prune_attested_nodes_batch_size", file: server.int("prune_attested_nodes_batch_size"),
            default: 1000)
        if size < 0 {
            report(
                "server.prune_attested_nodes_batch_size",
                "prune_attested_nodes_batch_size must be a positive number, such as 1000", at: resolver.lastPosition)
        }
        let includesTOFU = resolver.bool("server.prune_tofu_nodes", file: server.bool("prune_tofu_nodes"))
        guard let age else { return }
        var pruning = ServerConfig.NodePruning(expiredFor: age)
        pruning.batchSize = size
        pruning.includesTOFU = includesTOFU
        config.nodePruning = pruning
    }

    private static let longestSVIDTTL: Duration = .seconds(7 * 86400)

    /// Warns about SVID lifetimes that a rotating CA cannot always grant in full.
    func lifetimeWarnings(_ config: ServerConfig) {
        var lifetimes = [
            ("default_x509_svid_ttl", config.defaultX509SVIDTTL), ("default_jwt_svid_ttl", config.defaultJWTSVIDTTL),
        ]
        if let agentTTL = config.agentTTL { lifetimes.append(("agent_ttl", agentTTL)) }
        let most = min(config.caTTL / 6, Self.longestSVIDTTL)
        for (name, ttl) in lifetimes where ttl > most {
            diagnostics.notice(.warning, Self.warning(name, ttl, caTTL: config.caTTL, most: most))
        }
    }

    private static func warning(_ name: String, _ ttl: Duration, caTTL: Duration, most: Duration) -> String {
        let end = "to guarantee the full \(name) lifetime when CA rotations are scheduled."
        if ttl < longestSVIDTTL {
            return """
                \(name) is too high for the configured ca_ttl value. SVIDs with shorter lifetimes may be issued. \
                Please set \(name) to \(DurationText.short(most)) or less, or the ca_ttl to \
                \(DurationText.short(ttl * 6)) or more, \(end)
                """
        }
        if caTTL < longestSVIDTTL * 6 {
            return """
                \(name) is too high and the ca_ttl is too low. SVIDs with shorter lifetimes may be issued. Please set \
                \(name) to \(DurationText.short(longestSVIDTTL)) or less, and the ca_ttl to \
                \(DurationText.short(longestSVIDTTL * 6)) or more, \(end)
                """
        }
        return """
            \(name) is too high. SVIDs with shorter lifetimes may be issued. Please set \(name) to \
            \(DurationText.short(most)) or less \(end)
            """
    }
}
