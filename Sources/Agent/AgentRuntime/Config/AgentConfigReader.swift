// SPDX-License-Identifier: Apache-2.0

import Groundwork
import HCL
import Issuance
import SPIFFE
import Telemetry

/// Turns a parsed file and the flags into an `AgentConfig`, reporting everything that is wrong on the way.
struct AgentConfigReader {
    let file: ConfigFile
    let flags: AgentFlags
    let workingDirectory: String?
    var resolver = ConfigResolver()

    var diagnostics: HCLDiagnostics { file.diagnostics }

    init(file: ConfigFile, flags: AgentFlags, workingDirectory: String?) {
        self.file = file
        self.flags = flags
        self.workingDirectory = workingDirectory
    }

    /// Never `nil` unless a problem has been reported.
    mutating func read() -> AgentConfig? {
        let agent = file.root.block("agent")
        let plugins = file.root.block("plugins")
        let telemetry = file.root.block("telemetry").map(TelemetryConfig.decode)
        let health = file.root.block("health_checks").map(HealthChecksConfig.decode)
        file.root.finish(section: "top-level")
        if plugins == nil { report("plugins", "plugins section must be configured") }
        if agent == nil { report("agent", "agent section must be configured") }
        let empty = HCLBlock(HCLObject([], at: file.root.position), path: "agent", diagnostics: diagnostics)
        var config = required(agent ?? empty)
        config?.plugins = plugins.map(PluginBlock.decode) ?? []
        if let telemetry { config?.telemetry = telemetry }
        if let health { config?.healthChecks = health }
        return config
    }

    func report(_ key: String, _ message: String, at position: HCLPosition? = nil) {
        diagnostics.report(.invalid, key: key, message, at: position)
    }

    /// Reports a missing value, unless the reason is known already.
    private func require(_ key: String) {
        guard !diagnostics.hasFailed("agent.\(key)"), !diagnostics.hasFailed("agent") else { return }
        report("agent.\(key)", "\(key) must be configured")
    }

    private mutating func required(_ agent: HCLBlock) -> AgentConfig? {
        let token = joinToken(agent)
        let address = resolver.string(
            "agent.server_address", flag: flags.serverAddress, file: agent.string("server_address"))
        if address.isEmpty { require("server_address") }
        let port = resolver.int("agent.server_port", flag: flags.serverPort, file: agent.int("server_port"))
        if port == 0 { require("server_port") }
        if !(0...65535).contains(port) {
            report("agent.server_port", "server_port must be a port, 1 to 65535", at: resolver.lastPosition)
        }
        let domain = resolver.string("agent.trust_domain", flag: flags.trustDomain, file: agent.string("trust_domain"))
        let trustDomain = self.trustDomain(domain, at: resolver.lastPosition)
        // Reading goes on without a trust domain, so that one run shows every problem.
        guard let usable = trustDomain ?? Self.placeholder else { return nil }
        var config = AgentConfig(
            trustDomain: usable, serverAddress: HostText.withoutBrackets(address), serverPort: port)
        config.joinToken = token
        fill(&config, agent, checksMembership: trustDomain != nil)
        return config
    }

    private static let placeholder = try? TrustDomain("unset")

    private func trustDomain(_ text: String, at position: HCLPosition?) -> TrustDomain? {
        guard !text.isEmpty else {
            require("trust_domain")
            return nil
        }
        do {
            return try TrustDomain(text)
        } catch {
            report("agent.trust_domain", "could not parse trust_domain \"\(text)\": \(error)", at: position)
            return nil
        }
    }

    private mutating func joinToken(_ agent: HCLBlock) -> String {
        let token = resolver.string(
            "agent.join_token", flag: flags.joinToken, file: agent.string("join_token"), isSecret: true)
        let path = resolver.string(
            "agent.join_token_file", flag: flags.joinTokenFile, file: agent.string("join_token_file"))
        let position = resolver.lastPosition
        guard !path.isEmpty else { return token }
        guard token.isEmpty else {
            report(
                "agent.join_token", "only one of join_token or join_token_file can be specified, not both",
                at: position)
            return token
        }
        do {
            guard let bytes = try AtomicFile.read(path, limit: 64 << 10) else {
                report(
                    "agent.join_token_file",
                    "unable to read join token file \"\(path)\": open \(path): no such file or directory", at: position)
                return ""
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let start = text.drop(while: \.isWhitespace)
            let end = start.lastIndex { !$0.isWhitespace }
            if let end { return String(start[...end]) }
            report("agent.join_token_file", "join token file is empty", at: position)
        } catch {
            report("agent.join_token_file", "unable to read join token file \"\(path)\": \(error)", at: position)
        }
        return ""
    }

    private mutating func fill(_ config: inout AgentConfig, _ agent: HCLBlock, checksMembership: Bool) {
        bootstrap(&config, agent)
        config.dataDir = resolver.string(
            "agent.data_dir", flag: flags.dataDir, file: agent.string("data_dir"), default: ".")
        sockets(&config, agent)
        config.log = LogSettings.decode(
            agent,
            LogSettings.Flags(
                level: flags.logLevel, format: flags.logFormat, file: flags.logFile,
                includesSourceLocation: flags.logSourceLocation), &resolver)
        config.logSelectors = resolver.strings("agent.log_selectors", file: agent.strings("log_selectors"))
        caches(&config, agent)
        config.workloadX509SVIDKeyType = keyType(agent)
        config.allowsUnauthenticatedVerifiers = resolver.bool(
            "agent.allow_unauthenticated_verifiers", flag: flags.allowUnauthenticatedVerifiers,
            file: agent.bool("allow_unauthenticated_verifiers"))
        config.allowedForeignJWTClaims = resolver.strings(
            "agent.allowed_foreign_jwt_claims", file: agent.strings("allowed_foreign_jwt_claims"))
        config.authorizedDelegates = delegates(agent, of: checksMembership ? config.trustDomain : nil)
        config.profiling.isEnabled = agent.bool("profiling_enabled")?.value ?? false
        config.profiling.port = agent.int("profiling_port")?.value ?? 0
        config.profiling.everySeconds = agent.int("profiling_freq")?.value ?? 0
        config.profiling.names = agent.strings("profiling_names")?.value ?? []
        if let sds = agent.block("sds") { config.sds = self.sds(sds) }
        if let block = agent.block("experimental") {
            config.experimental = experimental(block, socketPath: config.socketPath)
        }
        agent.finish(section: "agent")
    }

    private mutating func keyType(_ agent: HCLBlock) -> KeyType {
        let text = resolver.string(
            "agent.workload_x509_svid_key_type", file: agent.string("workload_x509_svid_key_type"), default: "ec-p256")
        let type = KeyType(rawValue: text.lowercased())
        if let type, type != .rsa4096 { return type }
        report(
            "agent.workload_x509_svid_key_type",
            "key type \"\(text)\" is unknown; must be one of [rsa-2048, ec-p256, ec-p384]", at: resolver.lastPosition)
        return .ecP256
    }

    private mutating func delegates(_ agent: HCLBlock, of trustDomain: TrustDomain?) -> [SPIFFEID] {
        let texts = resolver.strings("agent.authorized_delegates", file: agent.strings("authorized_delegates"))
        let position = resolver.lastPosition
        return texts.compactMap { text in
            do {
                let id = try SPIFFEID(text)
                guard let trustDomain, !id.isMember(of: trustDomain) else { return id }
                report(
                    "agent.authorized_delegates",
                    """
                    error validating authorized delegate: "\(text)" is not a member of trust domain "\(trustDomain)"
                    """,
                    at: position)
            } catch {
                report(
                    "agent.authorized_delegates", "error validating authorized delegate: \"\(text)\": \(error)",
                    at: position)
            }
            return nil
        }
    }
}
