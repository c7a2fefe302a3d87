// SPDX-License-Identifier: Apache-2.0

import AgentAPI
import AgentCore
import Groundwork
import Logging
import NIOCore
import NIOPosix
import PluginAPI
import PluginsBasic
import RPC
import SPIFFE
import Telemetry
import Wire

/// Everything an agent is made of, built and bound to each other, nothing running.
struct AgentParts: Sendable {
    let config: AgentConfig
    let logger: Logger
    let clocks: Clocks
    let group: any EventLoopGroup
    /// For `/proc`, key files and other calls that block.
    let lane: BlockingLane
    let storage: AgentStorage
    let keys: any KeyManager
    let keyManagerName: String
    let workloadAttestors: [any WorkloadAttestor]
    let enrollment: Enrollment
    let instruments: Instruments
    let liveness: AgentLiveness
}

/// Builds the parts from the configuration.
enum Composition {
    /// - Throws: `ConfigError` for plugins, `agent.storage_malformed`, `io`.
    static func build(
        _ config: AgentConfig, logger: Logger, clocks: Clocks, group: any EventLoopGroup,
        instruments: Instruments = .off, liveness: AgentLiveness = AgentLiveness()
    ) async throws -> AgentParts {
        let plugins = try config.resolvedPlugins()
        let lane = BlockingLane("agent", width: 4)
        let storage = try AgentStorage(directory: config.dataDir, lane: lane)
        let catalog = logger.inSubsystem("catalog")
        func loaded(_ name: String, _ kind: String) -> Logger {
            var own = catalog
            own[metadataKey: LogKey.pluginName] = "\(name)"
            own[metadataKey: LogKey.pluginType] = "\(kind)"
            own[metadataKey: "external"] = "false"
            own.info("Plugin loaded")
            return own
        }
        _ = loaded(plugins.nodeAttestor, "NodeAttestor")
        var keys: any KeyManager
        switch plugins.keyManager {
        case .memory: keys = MemoryKeyManager(lane: lane)
        case .disk(let directory):
            try ProcessSurroundings.makeDirectory(directory, mode: 0o700)
            keys = try await DiskKeyManager.open(path: directory + "/keys.json", lane: lane)
        }
        _ = loaded(plugins.keyManager.name, "KeyManager")
        keys = MeteredKeyManager(
            keys, instruments.meter, first: "agent_key_manager", one: "get_key", all: "get_keys", time: clocks.time)
        var attestors: [any WorkloadAttestor] = []
        for attestor in plugins.workloadAttestors {
            switch attestor {
            case .unix(let unix):
                attestors.append(
                    UnixWorkloadAttestor(
                        .init(
                            discoversWorkloadPath: unix.discoversWorkloadPath,
                            workloadSizeLimit: unix.workloadSizeLimit, procRoot: Self.procRoot()),
                        PluginContext(
                            name: "unix", trustDomain: config.trustDomain, logger: loaded("unix", "WorkloadAttestor"),
                            time: clocks.time, random: clocks.random, lane: lane)))
            }
        }
        var place = ServerPlace(
            host: config.serverAddress, port: config.serverPort, trustDomain: config.trustDomain)
        place.policy = .init(requiresPostQuantum: config.experimental.requiresPQKEM)
        let client = NodeAttestationClient(
            place: place,
            group: group, clocks: clocks, logger: logger.inSubsystem("attestor"))
        let enrollment = Enrollment(
            client: client, source: try source(config.bootstrap), rebootstrap: rebootstrap(config), storage: storage,
            keys: keys, attestor: JoinTokenAttestor(token: config.joinToken), lane: lane,
            meters: BootstrapMeters(instruments.meter))
        return AgentParts(
            config: config, logger: logger, clocks: clocks, group: group, lane: lane, storage: storage, keys: keys,
            keyManagerName: plugins.keyManager.name, workloadAttestors: attestors, enrollment: enrollment,
            instruments: instruments, liveness: liveness)
    }

    /// The keeper of an agent that has its identity, and the client it speaks to the server with.
    static func keeper(
        _ parts: AgentParts, _ enrolled: Enrollment.Result
    ) -> (keeper: IdentityKeeper, client: ServerClient) {
        let config = parts.config
        let credentials = AgentCredentials(svid: enrolled.svid, bundle: enrolled.bundle)
        parts.liveness.enrolled(credentials)
        let logger = parts.logger.inSubsystem("manager")
        let client = ServerClient(
            parts.enrollment.client.place, group: parts.group, time: parts.clocks.time, logger: logger,
            usesSync: config.experimental.usesSyncAuthorizedEntries, tracer: parts.instruments.tracer,
            identity: { credentials.svid.tlsIdentity }, authorities: { credentials.authorities })
        var settings = KeeperSettings(trustDomain: config.trustDomain)
        settings.syncInterval = config.experimental.syncInterval
        settings.usesPush = config.experimental.usesSyncAuthorizedEntries
        settings.workloadKeyType = config.workloadX509SVIDKeyType
        settings.availabilityTarget = config.availabilityTarget
        settings.x509CacheLimit = config.x509SVIDCacheMaxSize
        settings.jwtCacheLimit = config.jwtSVIDCacheMaxSize
        settings.jwtCacheHitTimeout = config.experimental.jwtSVIDCacheHitTimeout
        settings.rebootstrap = rebootstrap(config)
        settings.version = Version.text
        let enrollment = parts.enrollment
        let keeper = IdentityKeeper(
            settings: settings, credentials: credentials, server: client, storage: parts.storage, keys: parts.keys,
            lane: parts.lane, clocks: parts.clocks, logger: logger, instruments: parts.instruments,
            reattest: { try await enrollment.reattest(replacing: $0, authorities: $1) })
        return (keeper, client)
    }

    /// What is served on the public socket.
    /// - Returns: the server, and what tells whether workloads can be served.
    static func publicServer(
        _ parts: AgentParts, _ keeper: IdentityKeeper
    ) -> (server: RPCServer, isHealthy: @Sendable () async -> Bool) {
        let config = parts.config
        let ownPID = ProcessSurroundings.processID
        let attestation = WorkloadAttestation(
            attestors: parts.workloadAttestors, ownPID: ownPID, instruments: parts.instruments,
            time: parts.clocks.time, logger: parts.logger.inSubsystem("workload_attestor"))
        var table = ServiceTable()
        if !config.workloadAPIIsDisabled {
            var choices = WorkloadAPI.Configuration()
            choices.allowsUnauthenticatedVerifiers = config.allowsUnauthenticatedVerifiers
            choices.foreignClaims = Set(config.allowedForeignJWTClaims)
            choices.loggedSelectors = config.logSelectors
            let rates = config.experimental.rateLimit
            let limits = CallLimits(
                perSecond: [
                    "FetchX509SVID": rates.fetchX509SVID, "FetchJWTSVID": rates.fetchJWTSVID,
                    "FetchX509Bundles": rates.fetchX509Bundles, "FetchJWTBundles": rates.fetchJWTBundles,
                ], ownPID: ownPID, time: parts.clocks.time, meter: parts.instruments.meter)
            WorkloadAPI(
                keeper: keeper, attestation: attestation, configuration: choices, limits: limits,
                time: parts.clocks.time, logger: parts.logger.inSubsystem("endpoints")
            ).register(in: &table)
        }
        let health = AgentHealth(
            attestation: attestation, ownProcess: OwnProcess(), isWorkloadAPIServed: !config.workloadAPIIsDisabled)
        health.register(in: &table)
        Reflection(describing: table).register(in: &table)
        let server = RPCServer(
            services: table, interceptors: interceptors(table, parts.instruments) + [SecurityHeader()],
            errorMapper: { RPCStatus(mapping: $0) })
        return (server, { await health.isHealthy() })
    }

    /// Metrics and traces see every call, the refused ones too; they are left out when nobody looks.
    private static func interceptors(_ table: ServiceTable, _ instruments: Instruments) -> [any ServerInterceptor] {
        var all: [any ServerInterceptor] = []
        if instruments.meter.isOn {
            all.append(CallMetrics(table, instruments.meter))
            all.append(
                CallGauge(
                    [
                        "SpiffeWorkloadAPI": "workload_api",
                        "envoy.service.secret.v3.SecretDiscoveryService": "sds_api",
                    ], instruments.meter))
        }
        if instruments.tracer.isOn { all.append(CallTracing(instruments.tracer)) }
        return all
    }

    private static func source(_ bootstrap: AgentConfig.Bootstrap) throws -> TrustBundleSource {
        switch bootstrap {
        case .insecure: return .insecure
        case .file(let path, let format): return .file(path: path, format: self.format(format))
        case .url(let url, let format, let unixSocket):
            return .url(
                url, format: self.format(format), unixSocket: unixSocket.isEmpty ? nil : unixSocket,
                proxies: ProxySettings(ProcessSurroundings.environment))
        case .workloadAPI:
            throw SpireError(
                .invalid, "trust_bundle_spiffe_workload_api is not supported yet; use trust_bundle_path or trust_bundle_url")
        }
    }

    private static func format(_ format: AgentConfig.BundleFormat) -> TrustBundleSource.Format {
        switch format {
        case .pem: .pem
        case .spiffe: .spiffe
        }
    }

    private static func rebootstrap(_ config: AgentConfig) -> Rebootstrap {
        let mode: Rebootstrap.Mode =
            switch config.rebootstrapMode {
            case .never: .never
            case .auto: .auto
            case .always: .always
            }
        return Rebootstrap(mode: mode, delay: config.rebootstrapDelay)
    }

    /// `HOST_PROC` names another process file system, for an agent in a container.
    private static func procRoot() -> String {
        ProcessSurroundings.environment("HOST_PROC").flatMap { $0.isEmpty ? nil : $0 } ?? "/proc"
    }
}

extension Logger {
    /// The same logger with the field operators filter by.
    func inSubsystem(_ name: String) -> Logger {
        var logger = self
        logger[metadataKey: LogKey.subsystem] = "\(name)"
        return logger
    }
}
