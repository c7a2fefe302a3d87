// SPDX-License-Identifier: Apache-2.0

package import Datastore
import FoundationEssentials
package import Groundwork
import Issuance
package import Logging
package import SPIFFE
import Synchronization
package import Telemetry

/// Keeps the bundles of foreign trust domains fresh: those of the configuration, which win, and those stored through
/// the API.
package final class BundleRefresher: Sendable {
    package typealias Store = FederationStore & BundleReader & BundleWriter

    /// How often stored relationships are looked at, without being told that they changed: other servers change them too.
    /// A look costs a database that others write to one statement, and SQLite none unless something was committed.
    static let configurationInterval: Duration = .seconds(10)
    /// Until the next poll after a failure, when no bundle is stored.
    static let retryInterval: Duration = .seconds(60)
    /// Most polls under way at once.
    static let width = 16

    private let own: TrustDomain
    private let configured: [TrustDomain: FederatedEndpoint]
    private let relationships: any FederationStore
    private let bundles: any BundleReader & BundleWriter
    private let fetcher: any BundleFetching
    private let time: any TimeSource
    private let logger: Logger
    private let meters: FederationMeters
    private let schedule = Mutex(RefreshSchedule())
    /// Grows whenever relationships changed or a poll ended: the loop looks again.
    private let wake: Watch<UInt64>
    private let underWay = Mutex(0)
    /// Of the relationships that were taken over last.
    private let mark = Mutex<FeedMark?>(nil)

    /// - Parameters:
    ///   - own: Never federated with.
    ///   - bundles: Where fetched bundles go; every reader of bundles must learn of writes to it.
    ///   - changes: Grows with each relationship that is written.
    package init(
        own: TrustDomain, configured: [FederatedEndpoint], relationships: any FederationStore,
        bundles: any BundleReader & BundleWriter, fetcher: any BundleFetching, changes: Watch<UInt64>,
        time: any TimeSource, meter: Meter = .off, logger: Logger
    ) {
        self.own = own
        self.configured = Dictionary(
            configured.filter { $0.trustDomain != own }.map { ($0.trustDomain, $0) }, uniquingKeysWith: { $1 })
        self.relationships = relationships
        self.bundles = bundles
        self.fetcher = fetcher
        wake = changes
        self.time = time
        self.logger = logger
        meters = FederationMeters(meter)
        for trustDomain in self.configured.keys { meters.begin(trustDomain) }
    }

    /// Polls until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { polls in
            var seen = wake.value
            var configureAt = time.uptime
            while !Task.isCancelled {
                let version = wake.value
                if time.uptime >= configureAt || version != seen {
                    seen = version
                    await configure()
                    configureAt = time.uptime + Self.configurationInterval
                }
                for (endpoint, round) in begin() {
                    polls.addTask { [self] in
                        await poll(endpoint, round)
                        underWay.withLock { $0 -= 1 }
                        wake.update { $0 &+= 1 }
                    }
                }
                // With as many polls under way as may be, the end of one is what to wait for.
                let isFull = underWay.withLock { $0 } >= Self.width
                let due = isFull ? configureAt : schedule.withLock { $0.nextDue } ?? configureAt
                await sleep(until: min(due, configureAt), unlessPast: seen)
            }
            logger.debug("Shutting down")
            polls.cancelAll()
        }
    }

    private func begin() -> [(endpoint: FederatedEndpoint, round: UInt64)] {
        let free = Self.width - underWay.withLock { $0 }
        guard free > 0 else { return [] }
        let begun = schedule.withLock { $0.begin(now: time.uptime, limit: free) }
        underWay.withLock { $0 += begun.count }
        return begun
    }

    /// Waits for `deadline` or a change of relationships.
    private func sleep(until deadline: Duration, unlessPast seen: UInt64) async {
        let pause = deadline - time.uptime
        guard pause > .zero, wake.value == seen else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [time] in try? await time.sleep(for: pause) }
            group.addTask { [wake] in
                for await version in wake.changes() where version != seen { return }
            }
            await group.next()
            group.cancelAll()
        }
    }

    // MARK: Configuration

    /// Reads the relationships, if anything was committed since, and takes them over. When they cannot be read, those
    /// known stay.
    package func configure() async {
        let reading: RelationshipReading
        do {
            reading = try await relationships.federationRelationships(unless: mark.withLock { $0 })
        } catch {
            if !(error is CancellationError) {
                logger.error("Failed to reload configuration", metadata: [LogKey.error: "\(error)"])
            }
            return
        }
        guard let stored = reading.relationships else { return }
        mark.withLock { $0 = reading.mark }
        for change in schedule.withLock({ $0.configure(endpoints(stored), now: time.uptime) }) {
            switch change {
            case .added(let endpoint):
                logger.info("Trust domain is now managed", metadata: Self.facts(endpoint))
            case .updated(let endpoint):
                logger.info("Updated configuration for managed trust domain", metadata: Self.facts(endpoint))
            case .removed(let trustDomain):
                logger.info("Trust domain no longer managed", metadata: [Self.trustDomain: "\(trustDomain)"])
            }
        }
    }

    private func endpoints(_ stored: [FederationRelationship]) -> [TrustDomain: FederatedEndpoint] {
        var endpoints: [TrustDomain: FederatedEndpoint] = [:]
        for relationship in stored {
            guard let endpoint = FederatedEndpoint(relationship), endpoint.trustDomain != own else { continue }
            endpoints[endpoint.trustDomain] = endpoint
        }
        return endpoints.merging(configured) { $1 }
    }

    // MARK: Polling

    private func poll(_ endpoint: FederatedEndpoint, _ round: UInt64) async {
        logger.debug("Polling for bundle update", metadata: [Self.trustDomain: "\(endpoint.trustDomain)"])
        var pause = Self.retryInterval
        do {
            pause = try await meters.fetches(endpoint.trustDomain).measure(time) { try await refresh(endpoint) }
        } catch is CancellationError {
            return
        } catch {
            logger.error(
                "Error updating bundle",
                metadata: [LogKey.error: "\(error)", Self.trustDomain: "\(endpoint.trustDomain)"])
            if let stored = try? await bundles.bundle(trustDomainID: endpoint.trustDomain.id.description) {
                pause = RefreshInterval.after(stored)
            }
        }
        let next = time.uptime + pause
        guard schedule.withLock({ $0.finish(endpoint.trustDomain, round: round, next: next) }) else {
            logger.info("No longer polling for updates", metadata: [Self.trustDomain: "\(endpoint.trustDomain)"])
            return
        }
        let at = CivilTime(unix: Int64(time.now.timeIntervalSince1970 + pause.inSeconds)).rfc3339
        logger.debug(
            "Scheduling next bundle refresh",
            metadata: ["at": "\(at)", Self.trustDomain: "\(endpoint.trustDomain)"])
    }

    /// Fetches one bundle and stores it if it changed.
    /// - Returns: how long it may count as fresh.
    private func refresh(_ endpoint: FederatedEndpoint) async throws -> Duration {
        let id = endpoint.trustDomain.id.description
        let stored = try await bundles.bundle(trustDomainID: id)
        var authenticating: X509Bundle?
        if case .httpsSPIFFE(let endpointID) = endpoint.profile {
            let theirs =
                endpointID.trustDomain == endpoint.trustDomain
                ? stored : try await bundles.bundle(trustDomainID: endpointID.trustDomain.id.description)
            authenticating = theirs?.x509Bundle(endpointID.trustDomain)
        }
        let document: SPIFFEBundle
        do {
            document = try await fetcher.fetch(endpoint, authenticatedBy: authenticating)
        } catch let error as CancellationError {
            throw error
        } catch let error as SpireError {
            throw error.while("failed to fetch federated bundle from endpoint")
        }
        let fetched = TrustBundle(document)
        if stored?.matches(fetched) != true {
            do {
                _ = try await bundles.setBundle(fetched)
            } catch let error as SpireError {
                throw error.while("failed to store federated bundle")
            }
            meters.updates(endpoint.trustDomain).add()
            logger.info("Bundle refreshed", metadata: [Self.trustDomain: "\(endpoint.trustDomain)"])
        }
        return document.refreshHint == nil ? RefreshInterval.standard : RefreshInterval.after(fetched)
    }

    /// Fetches a trust domain's bundle now.
    /// - Returns: `false` when there is no relationship with it.
    /// - Throws: why there is no bundle, or why it could not be stored.
    package func refreshBundle(of trustDomain: TrustDomain) async throws -> Bool {
        let known = schedule.withLock { $0.endpoint(of: trustDomain) }
        var endpoint = configured[trustDomain] ?? known
        if configured[trustDomain] == nil {
            let stored = try await relationships.federationRelationship(trustDomain: trustDomain.name)
            endpoint = stored.flatMap { FederatedEndpoint($0) }
        }
        guard let endpoint, endpoint.trustDomain != own else { return false }
        let pause = try await meters.fetches(trustDomain).measure(time) { try await refresh(endpoint) }
        schedule.withLock { $0.postpone(trustDomain, to: time.uptime + pause) }
        return true
    }

    private static let trustDomain = "trust_domain"

    private static func facts(_ endpoint: FederatedEndpoint) -> Logger.Metadata {
        var facts: Logger.Metadata = [
            trustDomain: "\(endpoint.trustDomain)", "bundle_endpoint_url": "\(endpoint.url)",
        ]
        switch endpoint.profile {
        case .httpsWeb: facts["bundle_endpoint_profile"] = "https_web"
        case .httpsSPIFFE(let id):
            facts["bundle_endpoint_profile"] = "https_spiffe"
            facts["endpoint_spiffe_id"] = "\(id)"
        }
        return facts
    }
}

extension FederatedEndpoint {
    /// A stored relationship; `nil` when what is stored is none.
    init?(_ relationship: FederationRelationship) {
        guard let trustDomain = try? TrustDomain(relationship.trustDomain) else { return nil }
        let profile: Profile
        switch relationship.profile {
        case .httpsWeb: profile = .httpsWeb
        case .httpsSPIFFE(let text):
            guard let id = try? SPIFFEID(text) else { return nil }
            profile = .httpsSPIFFE(id)
        }
        self.init(trustDomain: trustDomain, url: relationship.bundleEndpointURL, profile: profile)
    }
}
