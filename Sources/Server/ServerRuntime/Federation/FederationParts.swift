// SPDX-License-Identifier: Apache-2.0

import Datastore
import Federation
import Groundwork
import Logging
import NIOCore
import SPIFFE
import ServerAPI
import ServiceLifecycle
import Telemetry
import Wire

extension BundleRefresher: BundleRefreshing {}

/// Everything about foreign trust domains: their bundles kept fresh, and the own one served to them.
struct FederationParts: Sendable {
    let refresher: BundleRefresher
    /// Grows with each relationship that is written.
    let changes: Watch<UInt64>
    /// `nil` unless the configuration asks for it.
    let endpoint: BundleEndpoint?
    /// The endpoint's certificate files, if it has its certificate from files.
    let certificate: ServingCertificate?

    /// - Throws: when the endpoint's certificate files cannot be used.
    static func build(
        _ config: ServerConfig, relationships: any FederationStore, bundles: WatchedBundles, cache: BundleCache,
        rotator: ServerSVIDRotator, group: any EventLoopGroup, lane: BlockingLane, meter: Meter,
        log: LogSystem, time: any TimeSource
    ) async throws -> FederationParts {
        let changes = Watch<UInt64>(0)
        let refresher = BundleRefresher(
            own: config.trustDomain, configured: (config.federation?.federatesWith ?? []).map { FederatedEndpoint($0) },
            relationships: relationships, bundles: bundles,
            fetcher: BundleFetcher(group: group, webRoots: try WebRoots.fromEnvironment(), now: { time.now }),
            changes: changes, time: time, meter: meter,
            logger: log.logger(subsystem: "bundle_client"))
        var parts = FederationParts(refresher: refresher, changes: changes, endpoint: nil, certificate: nil)
        guard let wanted = config.federation?.bundleEndpoint else { return parts }

        let logger = log.logger(subsystem: "endpoints")
        let file: ServingCertificate?
        if case .httpsWebFile(let certificatePath, let keyPath, let interval) = wanted.profile {
            file = try await ServingCertificate.open(
                certificatePath: certificatePath, keyPath: keyPath, interval: interval, lane: lane, time: time,
                logger: logger)
        } else {
            file = nil
        }
        let shown: @Sendable () -> TLSIdentity? = { file?.identity ?? rotator.identity }
        // As in the original, what is no IP address means all of them.
        let isAddress = (try? SocketAddress(ipAddress: wanted.address, port: 0)) != nil
        let trustDomain = config.trustDomain
        var settings = BundleEndpoint.Settings(
            host: isAddress ? wanted.address : "0.0.0.0", port: wanted.port, refreshHint: wanted.refreshHint)
        settings.policy = .init(requiresPostQuantum: config.experimental.requiresPQKEM)
        let endpoint = BundleEndpoint(
            settings: settings,
            group: group, identity: shown, bundle: { try await cache.reading(of: trustDomain).bundle }, time: time,
            logger: logger)
        parts = FederationParts(refresher: refresher, changes: changes, endpoint: endpoint, certificate: file)
        return parts
    }

    /// What runs beside the gRPC endpoints. A bundle endpoint that cannot listen ends the server.
    var services: [any Service] {
        let refresher = refresher
        var services: [any Service] = [Looping { await refresher.run() }]
        if let certificate { services.append(Looping { await certificate.run() }) }
        if let endpoint { services.append(Looping { try await endpoint.run() }) }
        return services
    }
}

extension FederatedEndpoint {
    init(_ relationship: ServerConfig.Relationship) {
        let profile: Profile =
            switch relationship.profile {
            case .httpsWeb: .httpsWeb
            case .httpsSPIFFE(let id): .httpsSPIFFE(id)
            }
        self.init(trustDomain: relationship.trustDomain, url: relationship.bundleEndpointURL, profile: profile)
    }
}
