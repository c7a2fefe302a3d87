// SPDX-License-Identifier: Apache-2.0

import HCL
import Issuance
import SPIFFE
import Telemetry
import Wire

/// Turns a parsed file and the flags into a `ServerConfig`, reporting everything that is wrong on the way.
struct ServerConfigReader {
    let file: ConfigFile
    let flags: ServerFlags
    let workingDirectory: String?
    var resolver = ConfigResolver()

    var diagnostics: HCLDiagnostics { file.diagnostics }

    init(file: ConfigFile, flags: ServerFlags, workingDirectory: String?) {
        self.file = file
        self.flags = flags
        self.workingDirectory = workingDirectory
    }

    /// Never `nil` unless a problem has been reported.
    mutating func read() -> ServerConfig? {
        let server = file.root.block("server")
        let plugins = file.root.block("plugins")
        let telemetry = file.root.block("telemetry").map(TelemetryConfig.decode)
        let health = file.root.block("health_checks").map(HealthChecksConfig.decode)
        file.root.finish(section: "top-level")
        if server == nil {
            report("server", "server section must be configured")
        }
        var config = required(server ?? emptyBlock())
        if plugins == nil {
            report("plugins", "plugins section must be configured")
        }
        config?.plugins = plugins.map(PluginBlock.decode) ?? []
        if let telemetry { config?.telemetry = telemetry }
        if let health { config?.healthChecks = health }
        return config
    }

    private func emptyBlock() -> HCLBlock {
        HCLBlock(HCLObject([], at: file.root.position), path: "server", diagnostics: diagnostics)
    }

    func report(_ key: String, _ message: String, at position: HCLPosition? = nil) {
        diagnostics.report(.invalid, key: key, message, at: position)
    }

    private mutating func required(_ server: HCLBlock) -> ServerConfig? {
        let address = resolver.string(
            "server.bind_address", flag: flags.bindAddress, file: server.string("bind_address"), default: "0.0.0.0")
        let addressPosition = resolver.lastPosition
        let port = resolver.int(
            "server.bind_port", flag: flags.serverPort, file: server.int("bind_port"), default: 8081)
        if !(1...65535).contains(port) {
            report(
                "server.bind_port",
                "could not resolve bind address \"\(address):\(port)\": address \(port): invalid port",
                at: resolver.lastPosition ?? addressPosition)
        }
        let domain = resolver.string(
            "server.trust_domain", flag: flags.trustDomain, file: server.string("trust_domain"))
        let trustDomain = self.trustDomain(domain, at: resolver.lastPosition)
        let dataDir = resolver.string("server.data_dir", flag: flags.dataDir, file: server.string("data_dir"))
        if dataDir.isEmpty, !diagnostics.hasFailed("server.data_dir"), !diagnostics.hasFailed("server") {
            report("server.data_dir", "data_dir must be configured")
        }
        // Reading goes on without a trust domain, so that one run shows every problem.
        var config = (trustDomain ?? Self.placeholder).map { ServerConfig(trustDomain: $0, dataDir: dataDir) }
        config?.bindAddress = HostText.withoutBrackets(address)
        config?.bindPort = port
        if var filled = config {
            fill(&filled, server)
            config = filled
        }
        return config
    }

    private static let placeholder = try? TrustDomain("unset")

    private func trustDomain(_ text: String, at position: HCLPosition?) -> TrustDomain? {
        guard !text.isEmpty else {
            if !diagnostics.hasFailed("server.trust_domain"), !diagnostics.hasFailed("server") {
                report("server.trust_domain", "trust_domain must be configured")
            }
            return nil
        }
        do {
            return try TrustDomain(text)
        } catch {
            report("server.trust_domain", "could not parse trust_domain \"\(text)\": \(error)", at: position)
            return nil
        }
    }

    private mutating func fill(_ config: inout ServerConfig, _ server: HCLBlock) {
        config.socketPath = socketPath(server)
        config.adminIDs = adminIDs(server)
        config.scopedAdmins = scopedAdmins(server, adminIDs: config.adminIDs, trustDomain: config.trustDomain)
        lifetimes(&config, server)
        keys(&config, server)
        config.log = LogSettings.decode(
            server,
            LogSettings.Flags(
                level: flags.logLevel, format: flags.logFormat, file: flags.logFile,
                includesSourceLocation: flags.logSourceLocation), &resolver)
        config.auditLogIsEnabled = resolver.bool("server.audit_log_enabled", file: server.bool("audit_log_enabled"))
        if let limits = server.block("ratelimit") {
            config.rateLimit.attestation = resolver.bool(
                "server.ratelimit.attestation", file: limits.bool("attestation"), default: true)
            config.rateLimit.signing = resolver.bool(
                "server.ratelimit.signing", file: limits.bool("signing"), default: true)
            limits.finish(section: "ratelimit")
        }
        pruning(&config, server)
        config.proxyProtocolTrustedCIDRs = trustedProxies(server)
        config.profiling.isEnabled = server.bool("profiling_enabled")?.value ?? false
        config.profiling.port = server.int("profiling_port")?.value ?? 0
        config.profiling.everySeconds = server.int("profiling_freq")?.value ?? 0
        config.profiling.names = server.strings("profiling_names")?.value ?? []
        config.federation = server.block("federation").map(federation)
        if let block = server.block("experimental") { config.experimental = experimental(block) }
        server.finish(section: "server")
        lifetimeWarnings(config)
    }

    private mutating func socketPath(_ server: HCLBlock) -> String {
        let path = resolver.string(
            "server.socket_path", flag: flags.socketPath, file: server.string("socket_path"),
            default: ServerConfig.defaultSocketPath)
        guard let absolute = PathText.absolute(path, in: workingDirectory) else { return path }
        // A socket address holds 108 bytes with its end.
        if absolute.utf8.count > 107 {
            report(
                "server.socket_path", "socket_path \"\(absolute)\" is longer than the 107 bytes a socket may have",
                at: resolver.lastPosition)
        }
        return absolute
    }

    private mutating func trustedProxies(_ server: HCLBlock) -> [CIDRBlock] {
        let key = "server.proxy_protocol_trusted_cidrs"
        let texts = resolver.strings(key, file: server.strings("proxy_protocol_trusted_cidrs"))
        let position = resolver.lastPosition
        return texts.compactMap { text in
            do {
                return try CIDRBlock(text)
            } catch {
                report(key, "invalid proxy_protocol_trusted_cidrs value \"\(text)\": \(error)", at: position)
                return nil
            }
        }
    }

    private mutating func adminIDs(_ server: HCLBlock) -> [SPIFFEID] {
        let texts = resolver.strings("server.admin_ids", file: server.strings("admin_ids"))
        let position = resolver.lastPosition
        return texts.compactMap { text in
            do {
                return try SPIFFEID(text)
            } catch {
                report("server.admin_ids", "could not parse admin ID \"\(text)\": \(error)", at: position)
                return nil
            }
        }
    }

    private mutating func keys(_ config: inout ServerConfig, _ server: HCLBlock) {
        config.caKeyType = keyType("ca_key_type", server, default: .ecP256) ?? .ecP256
        config.jwtKeyType = keyType("jwt_key_type", server, default: config.caKeyType) ?? config.caKeyType
        config.jwtIssuer = resolver.string("server.jwt_issuer", file: server.string("jwt_issuer"))
        config.jwtSVIDsAreDisabled = resolver.bool("server.disable_jwt_svids", file: server.bool("disable_jwt_svids"))
        guard let subject = server.block("ca_subject") else { return }
        let country = subject.strings("country")?.value ?? []
        let organization = subject.strings("organization")?.value ?? []
        let commonName = subject.string("common_name")?.value ?? ""
        subject.finish(section: "ca_subject")
        if country.isEmpty, organization.isEmpty, commonName.isEmpty {
            diagnostics.notice(.warning, "ca_subject configurable is set but empty; the default will be used")
        } else {
            config.caSubject = ServerConfig.CASubject(
                country: country, organization: organization, commonName: commonName)
        }
    }

    mutating func keyType(_ key: String, _ block: HCLBlock, default fallback: KeyType?) -> KeyType? {
        let text = resolver.string(
            block.fullName(key), file: block.string(key), default: fallback?.rawValue ?? "")
        guard !text.isEmpty else { return nil }
        if let type = KeyType(rawValue: text.lowercased()) { return type }
        report(
            block.fullName(key),
            """
            error parsing \(key): key type "\(text)" is unknown; must be one of [rsa-2048, rsa-4096, ec-p256, ec-p384]
            """,
            at: resolver.lastPosition)
        return nil
    }
}
