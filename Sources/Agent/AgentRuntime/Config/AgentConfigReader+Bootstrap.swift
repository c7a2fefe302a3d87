// SPDX-License-Identifier: Apache-2.0

import HCL

extension AgentConfigReader {
    /// The four ways to get a first bundle exclude one another.
    mutating func bootstrap(_ config: inout AgentConfig, _ agent: HCLBlock) {
        let path = resolver.string(
            "agent.trust_bundle_path", flag: flags.trustBundle, file: agent.string("trust_bundle_path"))
        let url = resolver.string(
            "agent.trust_bundle_url", flag: flags.trustBundleURL, file: agent.string("trust_bundle_url"))
        let urlPosition = resolver.lastPosition
        let socket = resolver.string("agent.trust_bundle_unix_socket", file: agent.string("trust_bundle_unix_socket"))
        let workloadAPI = resolver.string(
            "agent.trust_bundle_spiffe_workload_api", file: agent.string("trust_bundle_spiffe_workload_api"))
        let formatText = resolver.string(
            "agent.trust_bundle_format", flag: flags.trustBundleFormat, file: agent.string("trust_bundle_format"),
            default: "pem")
        let format = AgentConfig.BundleFormat(rawValue: formatText)
        let formatPosition = resolver.lastPosition
        let isInsecure = resolver.bool(
            "agent.insecure_bootstrap", flag: flags.insecureBootstrap, file: agent.bool("insecure_bootstrap"))
        let insecurePosition = resolver.lastPosition
        rebootstrap(&config, agent)

        if let conflict = Self.conflict(
            path: path, url: url, workloadAPI: workloadAPI, socket: socket, isInsecure: isInsecure)
        {
            // A value of the wrong type is missing only as a consequence.
            if !diagnostics.hasFailedAny(["agent", "agent.trust_bundle_path", "agent.trust_bundle_url"]) {
                report("agent.trust_bundle", conflict, at: insecurePosition ?? urlPosition)
            }
            return
        }
        if isInsecure, config.rebootstrapMode != .never {
            report(
                "agent.insecure_bootstrap", "insecure_bootstrap option can not be used with rebootstrapping",
                at: insecurePosition)
        }
        if format == nil {
            report(
                "agent.trust_bundle_format", "invalid value for trust_bundle_format, expected \"pem\" or \"spiffe\"",
                at: formatPosition)
        }
        if url.isEmpty, !socket.isEmpty {
            report(
                "agent.trust_bundle_unix_socket",
                "if trust_bundle_unix_socket is specified, so must be trust_bundle_url",
                at: agent.place(of: "trust_bundle_unix_socket"))
        }
        if !url.isEmpty, let problem = Self.urlProblem(url, usesSocket: !socket.isEmpty) {
            report("agent.trust_bundle_url", problem, at: urlPosition)
        }
        if isInsecure {
            config.bootstrap = .insecure
        } else if !workloadAPI.isEmpty {
            if !["unix:", "tcp://"].contains(where: { workloadAPI.hasPrefix($0) }) {
                report(
                    "agent.trust_bundle_spiffe_workload_api",
                    """
                    trust_bundle_spiffe_workload_api is not a valid SPIFFE Workload API endpoint address: workload \
                    endpoint socket URI must have a "tcp" or "unix" scheme
                    """,
                    at: agent.place(of: "trust_bundle_spiffe_workload_api"))
            }
            config.bootstrap = .workloadAPI(workloadAPI)
        } else if !url.isEmpty {
            config.bootstrap = .url(url, format: format ?? .pem, unixSocket: socket)
        } else {
            config.bootstrap = .file(path: path, format: format ?? .pem)
        }
    }

    private static func conflict(
        path: String, url: String, workloadAPI: String, socket: String, isInsecure: Bool
    ) -> String? {
        func both(_ a: String, _ b: String) -> String { "only one of \(a) or \(b) can be specified, not both" }
        if !workloadAPI.isEmpty {
            if isInsecure { return both("insecure_bootstrap", "trust_bundle_spiffe_workload_api") }
            if !url.isEmpty { return both("trust_bundle_url", "trust_bundle_spiffe_workload_api") }
            if !path.isEmpty { return both("trust_bundle_path", "trust_bundle_spiffe_workload_api") }
            if !socket.isEmpty {
                return "trust_bundle_unix_socket can not be used with trust_bundle_spiffe_workload_api"
            }
        }
        switch (isInsecure, !url.isEmpty, !path.isEmpty) {
        case (true, true, true):
            return """
                only one of insecure_bootstrap, trust_bundle_url, or trust_bundle_path can be specified, not the three \
                options
                """
        case (true, true, false): return both("insecure_bootstrap", "trust_bundle_url")
        case (true, false, true): return both("insecure_bootstrap", "trust_bundle_path")
        case (false, true, true): return both("trust_bundle_url", "trust_bundle_path")
        case (false, false, false) where workloadAPI.isEmpty:
            return """
                trust_bundle_path, trust_bundle_url, or trust_bundle_spiffe_workload_api must be configured unless \
                insecure_bootstrap is set
                """
        default: return nil
        }
    }

    private static func urlProblem(_ url: String, usesSocket: Bool) -> String? {
        guard usesSocket else {
            return url.hasPrefix("https://") ? nil : "trust bundle URL must start with https://"
        }
        guard url.hasPrefix("http://") else {
            return "trust bundle URL must start with http:// when used with trust bundle unix socket"
        }
        let query = url.prefix { $0 != "#" }.drop { $0 != "?" }.dropFirst()
        let names = query.split(separator: "&")
        for prefix in ["spiffe-", "spire-"] where names.contains(where: { $0.hasPrefix(prefix) }) {
            return "trust_bundle_url query params can not start with \(prefix)"
        }
        return nil
    }

    private mutating func rebootstrap(_ config: inout AgentConfig, _ agent: HCLBlock) {
        let mode = resolver.string(
            "agent.rebootstrap_mode", flag: flags.rebootstrapMode, file: agent.string("rebootstrap_mode"),
            default: "never")
        if let known = AgentConfig.RebootstrapMode(rawValue: mode) {
            config.rebootstrapMode = known
        } else {
            report("agent.rebootstrap_mode", "unknown rebootstrap mode specified: \(mode)", at: resolver.lastPosition)
        }
        config.rebootstrapDelay =
            resolver.duration(
                "agent.rebootstrap_delay", flag: flags.rebootstrapDelay, file: agent.string("rebootstrap_delay"),
                default: config.rebootstrapDelay, diagnostics,
                complaint: { _ in "error parsing rebootstrap delay duration" }) ?? config.rebootstrapDelay
    }
}
