// SPDX-License-Identifier: Apache-2.0

import HCL

extension ServerConfigReader {
    mutating func experimental(_ block: HCLBlock) -> ServerConfig.Experimental {
        var values = ServerConfig.Experimental()
        intervals(&values, block)
        values.usesEventsBasedCache = resolver.bool(
            "server.experimental.events_based_cache", file: block.bool("events_based_cache"))
        if values.usesEventsBasedCache { diagnostics.notice(.info, "Using events based cache") }
        values.agentSPIFFEIDAsSelector = resolver.bool(
            "server.experimental.agent_spiffe_id_as_selector", file: block.bool("agent_spiffe_id_as_selector"))
        values.requiresPQKEM = resolver.bool(
            "server.experimental.require_pq_kem", file: block.bool("require_pq_kem"))
        if let engine = block.block("auth_opa_policy_engine") {
            values.authPolicyEngineIsConfigured = true
            report(
                "server.experimental.auth_opa_policy_engine",
                engine.block("local") == nil
                    ? "unable to obtain authpolicy engine: policy engine configuration must define a provider"
                    : """
                    policy files are not evaluated: the built-in policy always applies, so remove the block; to give \
                    somebody a part of an administrator's rights, use scoped_admin
                    """,
                at: engine.position)
        }
        values.witKeyType = keyType("wit_key_type", block, default: nil)
        values.witIssuer = resolver.string("server.experimental.wit_issuer", file: block.string("wit_issuer"))
        featureFlags(&values, block)
        if let pipe = block.string("named_pipe_name"), !pipe.value.isEmpty {
            report(
                pipe.key,
                """
                invalid configuration: named_pipe_name is not supported in this platform; please use socket_path instead
                """,
                at: pipe.position)
        }
        if values != ServerConfig.Experimental() {
            diagnostics.notice(
                .warning,
                """
                Experimental features have been enabled. Please see doc/upgrading.md for upgrade and compatibility \
                considerations for experimental features.
                """)
        }
        block.finish(section: "experimental", isTolerant: true)
        return values
    }

    private mutating func intervals(_ values: inout ServerConfig.Experimental, _ block: HCLBlock) {
        values.cacheReloadInterval = interval(block, "cache_reload_interval", "cache reload interval", .seconds(5))
        values.fullCacheReloadInterval = interval(
            block, "full_cache_reload_interval", "full cache reload interval", .seconds(86400))
        let fullPosition = resolver.lastPosition
        values.pruneEventsOlderThan = interval(
            block, "prune_events_older_than", "prune events interval", .seconds(43200))
        let alias = block.string("sql_transaction_timeout")
        if let alias, block.string("event_timeout") != nil {
            report(
                alias.key,
                "both experimental sql_transaction_timeout and event_timeout set, only set event_timeout",
                at: alias.position)
        }
        if alias != nil {
            diagnostics.notice(
                .warning, "experimental.sql_transaction_timeout is deprecated; use experimental.event_timeout instead",
                fields: ["alert": "true", "alert_type": "deprecated_config"])
        }
        let key = alias == nil ? "event_timeout" : "sql_transaction_timeout"
        values.eventTimeout = interval(block, key, "event timeout", .seconds(900))
        block.know("event_timeout")
        values.agentStreamAge = interval(block, "agent_stream_age", "agent stream age", values.agentStreamAge)
        if values.agentStreamAge < .seconds(1) || values.agentStreamAge > .seconds(86_400) {
            report(
                "server.experimental.agent_stream_age", "agent_stream_age must be between 1s and 24h",
                at: resolver.lastPosition)
        }
        if values.fullCacheReloadInterval <= values.cacheReloadInterval {
            report(
                "server.experimental.full_cache_reload_interval",
                "full cache reload interval must be greater than cache reload interval", at: fullPosition)
        }
    }

    private mutating func interval(
        _ block: HCLBlock, _ key: String, _ name: String, _ fallback: Duration
    ) -> Duration {
        let value = resolver.duration(
            block.fullName(key), file: block.string(key), default: fallback, diagnostics,
            complaint: { _ in "could not parse \(name)" })
        return value.flatMap { $0 == .zero ? nil : $0 } ?? fallback
    }

    private mutating func featureFlags(_ values: inout ServerConfig.Experimental, _ block: HCLBlock) {
        values.featureFlags = resolver.strings(
            "server.experimental.feature_flags", file: block.strings("feature_flags"))
        let unknown = values.featureFlags.filter { !["wit-svid", "i_am_a_test_flag"].contains($0) }
        guard unknown.isEmpty else {
            return report(
                "server.experimental.feature_flags",
                "error loading feature flags: unknown feature flag(s): [\(unknown.joined(separator: " "))]",
                at: resolver.lastPosition)
        }
        for flag in values.featureFlags {
            diagnostics.notice(.warning, "Developer feature flag \"\(flag)\" has been enabled")
        }
    }
}
