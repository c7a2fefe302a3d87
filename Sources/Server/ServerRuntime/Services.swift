// SPDX-License-Identifier: Apache-2.0

import Authority
import Datastore
import EntryIndex
import Groundwork
import Logging
import NIOCore
import RPC
import SPIFFE
import SQLDatastore
import ServerAPI
import Telemetry
import Wire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Puts the services on the two endpoints: what agents and remote administrators may reach, and what only local ones may.
struct Services {
    let config: ServerConfig
    let plugins: ServerPlugins
    let datastore: SQLDatastore
    let restoration: Restoration?
    let bundles: BundleCache
    let watched: WatchedBundles
    let issuer: AuthorityService
    let index: EntryIndex
    let rotator: ServerSVIDRotator
    let federation: FederationParts
    let instruments: Instruments
    let auditLog: AuditLog?
    let log: LogSystem
    let time: any TimeSource
    let random: any RandomSource

    /// How long a connection from afar may last, so that clients spread over servers again: as long as the original's.
    ///
    /// Those that carry an agent's stream last longer (`agent_stream_age`, half an hour): a handshake takes about 2 ms of this
    /// side's time, so with 5,000 agents three minutes would be 28 handshakes a second and 5 % of a core while nothing
    /// happens; half an hour is 3 a second and half a percent.
    private static let connectionAge: TimeAmount = .minutes(3)
    /// How long a stream goes on after its agent was asked to go elsewhere. Ours go at once; for those of earlier versions,
    /// which do not listen, the end of the stream is the reason to connect anew.
    private static let streamGrace: TimeAmount = .seconds(5)

    func endpoints(on group: any EventLoopGroup) -> Endpoints {
        let logger = log.logger(subsystem: "endpoints")
        let adminIDs = Set(config.adminIDs)
        let agents = AgentCheck(
            nodes: datastore, time: time, staleness: config.maxAttestedNodeInfoStaleness, restoration: restoration)
        let authorizer = Authorizer(
            adminIDs: adminIDs, scopedAdmins: config.scopedAdmins, entries: datastore, agents: agents,
            environment: environment)
        var remote = ServiceTable()
        EntryPushService(trustDomain: config.trustDomain, index: index, bundles: bundles, agents: agents, time: time)
            .add(to: &remote)
        for service in shared { service.add(to: &remote) }
        var local = remote
        for service in localOnly { service.add(to: &local) }
        var aging = RPCServerConfiguration()
        aging.maximumConnectionAge = Self.connectionAge
        aging.maximumStreamingAge = .milliseconds(Int64(config.experimental.agentStreamAge.inSeconds * 1000))
        aging.streamingGrace = Self.streamGrace
        let rotator = rotator
        return Endpoints(
            settings: .init(
                host: config.bindAddress, port: config.bindPort, socketPath: config.socketPath,
                trustedProxies: config.proxyProtocolTrustedCIDRs,
                policy: .init(requiresPostQuantum: config.experimental.requiresPQKEM)),
            group: group,
            tcpServer: RPCServer(
                services: remote, interceptors: interceptors(remote, authorizer), configuration: aging,
                errorMapper: APIFailure.status(of:)),
            localServer: RPCServer(
                services: local, interceptors: interceptors(local, authorizer), errorMapper: APIFailure.status(of:)),
            identity: { rotator.identity },
            clients: ClientVerifier(
                bundles: bundles, adminIDs: adminIDs.union(config.scopedAdmins.keys), time: time, logger: logger),
            listening: Watch(nil), logger: logger)
    }

    /// Metrics and traces see every call, the refused ones too; they are left out when nobody looks.
    private func interceptors(_ table: ServiceTable, _ authorizer: Authorizer) -> [any ServerInterceptor] {
        var all: [any ServerInterceptor] = []
        if instruments.meter.isOn { all.append(CallMetrics(table, instruments.meter)) }
        if instruments.tracer.isOn { all.append(CallTracing(instruments.tracer)) }
        all.append(authorizer)
        return all
    }

    private var shared: [any APIService] {
        var options = AgentService.Options()
        options.joinTokens = plugins.nodeAttestors.contains("join_token")
        options.agentIDAsSelector = config.experimental.agentSPIFFEIDAsSelector
        return [
            AgentService(
                trustDomain: config.trustDomain, store: datastore, issuer: issuer, options: options, time: time,
                random: random),
            BundleService(store: watched, cache: bundles),
            EntryService(trustDomain: config.trustDomain, store: datastore, authorized: index),
            EntrySetService(trustDomain: config.trustDomain, store: datastore),
            ExplainService(trustDomain: config.trustDomain, store: datastore, time: time),
            SVIDService(
                trustDomain: config.trustDomain, issuer: issuer, authorized: index, bundles: bundles,
                jwtEnabled: !config.jwtSVIDsAreDisabled, witEnabled: config.experimental.enablesWITSVIDs,
                lanes: System.coreCount),
            TrustDomainService(
                store: datastore, bundles: bundles, refresher: federation.refresher, changes: federation.changes),
            LocalAuthorityService(authorities: issuer),
        ]
    }

    private var localOnly: [any APIService] {
        let log = log
        let rotator = rotator
        return [
            HealthService(bundles: bundles),
            LoggerService(
                level: LogLevelControl(
                    launch: log.settings.level, current: { log.level }, set: { log.level = $0 })),
            DebugService(store: datastore, bundles: bundles, time: time, serverChain: { rotator.chain }),
        ]
    }

    private var environment: CallEnvironment {
        var limited = Set(RateBucket.allCases)
        if !config.rateLimit.attestation { limited.remove(.attestation) }
        if !config.rateLimit.signing { limited.subtract([.signing, .jwtSigning, .witSigning]) }
        return CallEnvironment(
            logger: log.logger(subsystem: "api"), random: random,
            limits: RateLimits(
                enabled: limited, time: time,
                counters: MethodCounters(
                    "rateLimit", AuthorizationTable.standard.rows.values.filter { $0.rate != nil }.map(\.method),
                    instruments.meter)),
            auditEnabled: config.auditLogIsEnabled, auditLog: auditLog, executable: Self.executable)
    }

    @Sendable
    private static func executable(_ pid: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink("/proc/\(pid)/exe", &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}
