// SPDX-License-Identifier: Apache-2.0

import Authority
import Datastore
import EntryIndex
package import Groundwork
import Issuance
import Logging
import NIOCore
import NIOPosix
import PluginAPI
import PluginsBasic
import RPC
import SPIFFE
import SQLDatastore
import ServerAPI
package import Telemetry
import Wire

/// Builds a server from its configuration. The order is that in which the original starts, and so fails.
package enum Composition {
    /// - Throws: the first thing that is not as it must be: plugins, datastore, authorities.
    package static func build(
        _ config: ServerConfig, plugins: ServerPlugins, log: LogSystem, time: any TimeSource,
        random: any RandomSource
    ) async throws -> ServerParts {
        try SocketFolder.make(config.dataDir, mode: 0o755)
        let lane = BlockingLane("server", width: System.coreCount)
        let observation = ServerObservation(config, lane: lane, log: log, time: time, random: random)
        let instruments = observation.instruments
        let datastore = try await DatastoreOpening(plugins.datastore, instruments: instruments, log: log)
            .open(time: time, random: random)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        do {
            let catalog = log.logger(subsystem: "catalog")
            let keys = MeteredKeyManager(
                try await keyManager(plugins.keyManager, lane: lane, catalog: catalog), instruments.meter,
                first: "server_key_manager", one: "get_public_key", all: "get_public_keys", time: time)
            for name in plugins.nodeAttestors { announce("NodeAttestor", name, catalog) }
            try await Bootstrap.checkTrustDomain(datastore, config.trustDomain, log.logger)

            let board = AgentBoard(time: time, random: random)
            let bundles = BundleCache(
                trustDomain: config.trustDomain, store: datastore, time: time, changed: { board.post(bundle: $0) })
            let watched = WatchedBundles(datastore, cache: bundles)
            let authority = AuthorityService(
                settings: authoritySettings(config), keyManager: keys, store: watched, time: time, random: random,
                logger: log.logger, meter: instruments.meter)
            try await authority.start()
            let rotator = ServerSVIDRotator(
                issuer: authority, tainted: authority.taintedX509Authorities, keyType: config.caKeyType, lane: lane,
                time: time, logger: log.logger(subsystem: "svid_rotator"),
                rotations: instruments.meter.call(["svid", "rotate"]))
            try await rotator.rotate()
            let index = try await entryIndex(
                config, datastore, board, bundles, meter: instruments.meter, log: log, time: time)
            let federation = try await FederationParts.build(
                config, relationships: datastore, bundles: watched, cache: bundles, rotator: rotator, group: group,
                lane: lane, meter: instruments.meter, log: log, time: time)
            let auditLog = try observation.auditLog(random: random)
            let services = Services(
                config: config, plugins: plugins, datastore: datastore, restoration: try await datastore.restoration(),
                bundles: bundles, watched: watched,
                issuer: authority, index: index, rotator: rotator, federation: federation, instruments: instruments,
                auditLog: auditLog, log: log, time: time, random: random)
            let endpoints = services.endpoints(on: group)
            let observers = try observation.services(
                on: group, identity: { rotator.identity }, bundles: bundles,
                checks: ServerHealth.checks(
                    trustDomain: config.trustDomain, bundles: bundles, issuer: authority,
                    rotation: { authority.rotationFailure }, datastore: datastore),
                listening: endpoints.listening)
            return ServerParts(
                logger: log.logger, time: time, trustDomain: config.trustDomain, datastore: datastore, group: group,
                bundles: bundles, authority: Looping { await authority.run() }, serverSVID: rotator,
                entryIndex: Looping { try await index.run() },
                otherServers: Looping { try await datastore.followOtherServers() },
                federation: federation, meter: instruments.meter,
                pruners: pruners(
                    config, datastore, meter: instruments.meter, log: log, time: time, random: random),
                observers: observers, auditLog: auditLog, endpoints: endpoints)
        } catch {
            try? await group.shutdownGracefully()
            await datastore.close()
            throw error
        }
    }

    private static func keyManager(
        _ settings: ServerPlugins.KeyManager, lane: BlockingLane, catalog: Logger
    ) async throws -> any KeyManager {
        let keys: any KeyManager =
            switch settings {
            case .memory: MemoryKeyManager(lane: lane)
            case .disk(let path): try await DiskKeyManager.open(path: path, lane: lane)
            }
        announce("KeyManager", settings.name, catalog)
        return keys
    }

    private static func announce(_ type: String, _ name: String, _ logger: Logger) {
        logger.info(
            "Plugin loaded",
            metadata: ["external": "false", LogKey.pluginName: "\(name)", LogKey.pluginType: "\(type)"])
    }

    private static func authoritySettings(_ config: ServerConfig) -> AuthoritySettings {
        var settings = AuthoritySettings(trustDomain: config.trustDomain)
        settings.caTTL = config.caTTL
        settings.caKeyType = config.caKeyType
        settings.jwtKeyType = config.jwtKeyType
        settings.witKeyType = config.experimental.witKeyType ?? config.caKeyType
        settings.caSubject = DistinguishedName(
            country: config.caSubject.country, organization: config.caSubject.organization,
            commonName: config.caSubject.commonName)
        settings.defaultX509SVIDTTL = config.defaultX509SVIDTTL
        settings.defaultJWTSVIDTTL = config.defaultJWTSVIDTTL
        settings.agentTTL = config.agentTTL
        settings.jwtIssuer = config.jwtIssuer
        settings.disableJWTSVIDs = config.jwtSVIDsAreDisabled
        settings.witIssuer = config.experimental.witIssuer
        settings.enableWITSVIDs = config.experimental.enablesWITSVIDs
        return settings
    }

    private static func entryIndex(
        _ config: ServerConfig, _ datastore: SQLDatastore, _ board: AgentBoard, _ bundles: BundleCache, meter: Meter,
        log: LogSystem, time: any TimeSource
    ) async throws -> EntryIndex {
        let logger = log.logger(subsystem: "endpoints")
        var configuration = EntryIndexConfiguration()
        configuration.pollInterval = config.experimental.cacheReloadInterval
        configuration.fullReloadInterval = config.experimental.fullCacheReloadInterval
        configuration.overlap = max(.seconds(1), config.experimental.eventTimeout)
        guard configuration.fullReloadInterval > configuration.pollInterval else {
            throw SpireError(.invalid, "full cache reload interval must be greater than cache reload interval")
        }
        let index = EntryIndex(
            store: datastore.toleratingStaleness(), trustDomain: config.trustDomain.name,
            configuration: configuration, board: board, bundlesSeen: { bundles.note($0) }, time: time, logger: logger,
            meter: meter)
        logger.info("Building in-memory entry cache")
        try await index.load()
        logger.info("Completed building in-memory entry cache")
        return index
    }

    private static func pruners(
        _ config: ServerConfig, _ datastore: SQLDatastore, meter: Meter, log: LogSystem, time: any TimeSource,
        random: any RandomSource
    ) -> [Pruner] {
        let logger = log.logger(subsystem: "endpoints")
        var pruners: [Pruner] = [
            .entries(
                datastore, meter: meter, time: time, logger: log.logger(subsystem: "registration_manager")),
            .events(datastore, olderThan: config.experimental.pruneEventsOlderThan, time: time, logger: logger),
        ]
        if let settings = config.nodePruning {
            pruners.append(
                .nodes(
                    datastore, settings, meter: meter, time: time, random: random,
                    logger: log.logger(subsystem: "node_manager")))
        }
        return pruners
    }
}
