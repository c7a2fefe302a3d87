// SPDX-License-Identifier: Apache-2.0

import HCL
import SPIFFE

extension AgentConfigReader {
    mutating func sockets(_ config: inout AgentConfig, _ agent: HCLBlock) {
        config.workloadAPIIsDisabled = resolver.bool(
            "agent.disable_workload_api", flag: flags.disableWorkloadAPI, file: agent.bool("disable_workload_api"))
        config.sdsAPIIsDisabled = resolver.bool(
            "agent.disable_sds_api", flag: flags.disableSDSAPI, file: agent.bool("disable_sds_api"))
        let path = resolver.string(
            "agent.socket_path", flag: flags.socketPath, file: agent.string("socket_path"),
            default: AgentConfig.defaultSocketPath)
        config.socketPath = absolute(path, "socket_path", at: resolver.lastPosition)
        let admin = resolver.string("agent.admin_socket_path", file: agent.string("admin_socket_path"))
        guard !admin.isEmpty else { return }
        let position = resolver.lastPosition
        config.adminSocketPath = absolute(admin, "admin_socket_path", at: position)
        let isPublic = !config.workloadAPIIsDisabled || !config.sdsAPIIsDisabled
        if isPublic, Self.isBeside(config.adminSocketPath, config.socketPath) {
            report(
                "agent.admin_socket_path",
                """
                admin socket cannot be in the same directory or a subdirectory as that containing the Workload API \
                socket
                """,
                at: position)
        }
    }

    private func absolute(_ path: String, _ key: String, at position: HCLPosition?) -> String {
        guard let absolute = PathText.absolute(path, in: workingDirectory) else { return path }
        // A socket address holds 108 bytes with its end.
        if absolute.utf8.count > 107 {
            report(
                "agent.\(key)", "\(key) \"\(absolute)\" is longer than the 107 bytes a socket may have", at: position)
        }
        return absolute
    }

    /// Whether `path` is in or below the directory of the public socket, where every workload may look.
    private static func isBeside(_ path: String, _ publicSocket: String) -> Bool {
        guard let slash = publicSocket.lastIndex(of: "/") else { return false }
        return path.hasPrefix(publicSocket[...slash])
    }

    mutating func caches(_ config: inout AgentConfig, _ agent: HCLBlock) {
        config.x509SVIDCacheMaxSize = cacheSize("x509_svid_cache_max_size", agent)
        config.jwtSVIDCacheMaxSize = cacheSize("jwt_svid_cache_max_size", agent)
        config.availabilityTarget = resolver.duration(
            "agent.availability_target", file: agent.string("availability_target"), diagnostics,
            complaint: { _ in "unable to parse availability_target" })
        if let target = config.availabilityTarget, target < .seconds(86400) {
            report(
                "agent.availability_target", "availability_target must be at least 24h0m0s", at: resolver.lastPosition)
        }
    }

    private mutating func cacheSize(_ key: String, _ agent: HCLBlock) -> Int {
        let size = resolver.int("agent.\(key)", file: agent.int(key), default: 1000)
        if size < 0 { report("agent.\(key)", "\(key) should not be negative", at: resolver.lastPosition) }
        return size
    }

    mutating func sds(_ block: HCLBlock) -> AgentConfig.SDS {
        var sds = AgentConfig.SDS()
        sds.defaultSVIDName = resolver.string(
            "agent.sds.default_svid_name", file: block.string("default_svid_name"), default: sds.defaultSVIDName)
        sds.defaultBundleName = resolver.string(
            "agent.sds.default_bundle_name", file: block.string("default_bundle_name"),
            default: sds.defaultBundleName)
        sds.defaultAllBundlesName = resolver.string(
            "agent.sds.default_all_bundles_name", file: block.string("default_all_bundles_name"),
            default: sds.defaultAllBundlesName)
        sds.disablesSPIFFECertificateValidation = resolver.bool(
            "agent.sds.disable_spiffe_cert_validation", file: block.bool("disable_spiffe_cert_validation"))
        block.finish(section: "sds", isTolerant: true)
        return sds
    }

    mutating func experimental(_ block: HCLBlock, socketPath: String) -> AgentConfig.Experimental {
        var values = AgentConfig.Experimental()
        let interval = resolver.duration(
            "agent.experimental.sync_interval", file: block.string("sync_interval"), default: values.syncInterval,
            diagnostics, complaint: { _ in "could not parse synchronization interval" })
        values.syncInterval = interval.flatMap { $0 == .zero ? nil : $0 } ?? values.syncInterval
        hitTimeout(&values, block)
        if let setting = block.bool("use_sync_authorized_entries") {
            values.usesSyncAuthorizedEntries = setting.value
            diagnostics.notice(
                .warning, "The use_sync_authorized_entries key is deprecated and will be removed",
                fields: ["alert": "true", "alert_type": "deprecated_config"])
        }
        values.requiresPQKEM = resolver.bool("agent.experimental.require_pq_kem", file: block.bool("require_pq_kem"))
        featureFlags(&values, block)
        if let limits = block.block("ratelimit") { values.rateLimit = rateLimit(limits) }
        values.broker = block.block("broker").map { broker($0, socketPath: socketPath) }
        for (key, instead) in [("named_pipe_name", "socket_path"), ("admin_named_pipe_name", "admin_socket_path")] {
            guard let pipe = block.string(key), !pipe.value.isEmpty else { continue }
            report(
                pipe.key,
                "invalid configuration: \(key) is not supported in this platform; please use \(instead) instead",
                at: pipe.position)
        }
        block.finish(section: "experimental", isTolerant: true)
        if values != AgentConfig.Experimental() {
            diagnostics.notice(
                .warning,
                """
                Experimental features have been enabled. Please see doc/upgrading.md for upgrade and compatibility \
                considerations for experimental features.
                """)
        }
        return values
    }

    private mutating func hitTimeout(_ values: inout AgentConfig.Experimental, _ block: HCLBlock) {
        guard let setting = block.string("jwt_svid_cache_hit_timeout"), !setting.value.isEmpty else { return }
        let timeout = resolver.duration(
            setting.key, file: setting, diagnostics, complaint: { _ in "could not parse JWT-SVID cache hit timeout" })
        guard let timeout else { return }
        diagnostics.notice(.warning, "The use of 'jwt_svid_cache_hit_timeout' is experimental")
        if timeout < .seconds(5) { report(setting.key, "must be greater than 5s", at: setting.position) }
        if timeout >= .seconds(30) { report(setting.key, "must be less than 30s", at: setting.position) }
        values.jwtSVIDCacheHitTimeout = timeout
    }

    private mutating func featureFlags(_ values: inout AgentConfig.Experimental, _ block: HCLBlock) {
        values.featureFlags = resolver.strings(
            "agent.experimental.feature_flags", file: block.strings("feature_flags"))
        let unknown = values.featureFlags.filter { !["wit-svid", "i_am_a_test_flag"].contains($0) }
        guard unknown.isEmpty else {
            return report(
                "agent.experimental.feature_flags",
                "error loading feature flags: unknown feature flag(s): [\(unknown.joined(separator: " "))]",
                at: resolver.lastPosition)
        }
        for flag in values.featureFlags {
            diagnostics.notice(.warning, "Developer feature flag \"\(flag)\" has been enabled")
        }
    }

    private func rateLimit(_ block: HCLBlock) -> AgentConfig.RateLimit {
        var limits = AgentConfig.RateLimit()
        let keys: [(String, WritableKeyPath<AgentConfig.RateLimit, Int>)] = [
            ("fetch_x509_svid", \.fetchX509SVID), ("fetch_jwt_svid", \.fetchJWTSVID),
            ("fetch_x509_bundles", \.fetchX509Bundles), ("fetch_jwt_bundles", \.fetchJWTBundles),
            ("stream_secrets", \.streamSecrets), ("fetch_secrets", \.fetchSecrets),
        ]
        for (key, place) in keys {
            guard let setting = block.int(key) else { continue }
            limits[keyPath: place] = setting.value
            if setting.value < 0 {
                report(setting.key, "experimental.ratelimit.\(key) must not be negative", at: setting.position)
            }
        }
        block.finish(section: "ratelimit")
        return limits
    }

    private func broker(_ block: HCLBlock, socketPath: String) -> AgentConfig.Broker {
        var broker = AgentConfig.Broker()
        let path = block.string("socket_path")
        if let path, !path.value.isEmpty {
            broker.socketPath = PathText.absolute(path.value, in: workingDirectory) ?? path.value
            if Self.isBeside(broker.socketPath, socketPath) {
                report(
                    path.key,
                    """
                    broker socket cannot be in the same directory or a subdirectory as that containing the Workload \
                    API socket
                    """,
                    at: path.position)
            }
        }
        let address = block.string("bind_address")
        broker.bindAddress = address?.value ?? ""
        if let address, !address.value.isEmpty, !address.value.contains(":") {
            report(
                address.key,
                """
                invalid experimental.broker.bind_address "\(address.value)": address \(address.value): missing port in \
                address
                """,
                at: address.position)
        }
        if broker.socketPath.isEmpty, broker.bindAddress.isEmpty {
            report(
                block.path, "experimental.broker requires socket_path, bind_address, or both", at: block.position)
        }
        for (index, entry) in block.blocks("brokers").enumerated() {
            guard let allowed = allowedBroker(entry, index) else { continue }
            if broker.brokers.contains(where: { $0.id == allowed.id }) {
                report(
                    entry.path, "experimental.broker.brokers[\(allowed.id)].id: duplicate broker id",
                    at: entry.position)
            }
            broker.brokers.append(allowed)
        }
        block.finish(section: "experimental.broker")
        return broker
    }

    private func allowedBroker(_ block: HCLBlock, _ index: Int) -> AgentConfig.AllowedBroker? {
        let text = block.string("id")?.value ?? ""
        var types: [String: Bool] = [:]
        for (number, type) in block.blocks("allowed_reference_types").enumerated() {
            let url = type.string("type_url")?.value ?? ""
            types[url] = type.bool("allow_over_tcp")?.value ?? false
            type.finish(
                section: "experimental.broker.brokers[\(index)].allowed_reference_types[\(number)]")
        }
        block.finish(section: "experimental.broker.brokers[\(index)]")
        let place = "experimental.broker.brokers[\(text)].allowed_reference_types: "
        if text.isEmpty {
            report(block.path, "experimental.broker.brokers[\(index)].id: must be specified", at: block.position)
        } else if types.isEmpty {
            report(block.path, place + "must list at least one reference type URL", at: block.position)
        } else if types[""] != nil {
            report(block.path, place + "type_url must be specified", at: block.position)
        } else if types["*"] != nil, types.count > 1 {
            report(block.path, place + "\"*\" must be the only element", at: block.position)
        } else {
            do {
                return AgentConfig.AllowedBroker(id: try SPIFFEID(text), allowedReferenceTypes: types)
            } catch {
                report(block.path, "experimental.broker.brokers[\(index)].id: \(error)", at: block.position)
            }
        }
        return nil
    }
}
