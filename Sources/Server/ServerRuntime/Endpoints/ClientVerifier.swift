// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import SPIFFE
import ServerAPI
import Synchronization
import X509

/// Judges client certificates at the handshake, against the bundle of the certificate's own trust domain.
///
/// Clients of other trust domains are turned away even when their certificate is good, unless they are named
/// administrators: nothing but administration is offered to them.
final class ClientVerifier: Sendable {
    private let bundles: BundleCache
    private let adminIDs: Set<SPIFFEID>
    private let time: any TimeSource
    private let logger: Logger
    private let warnedAt = Mutex<[TrustDomain: Duration]>([:])
    private static let warningInterval: Duration = .seconds(60)

    init(bundles: BundleCache, adminIDs: Set<SPIFFEID>, time: any TimeSource, logger: Logger) {
        self.bundles = bundles
        self.adminIDs = adminIDs
        self.time = time
        self.logger = logger
    }

    /// - Parameter chain: As presented, leaf first.
    /// - Throws: when the handshake is to fail.
    func verify(_ chain: [Certificate]) async throws -> SPIFFEID {
        let claimed = try Self.claimedID(chain)
        guard let bundle = try await bundles.reading(of: claimed.trustDomain).x509 else {
            warnAboutMissingBundle(claimed.trustDomain)
            throw SpireError(.unauthenticated, "no bundle found for trust domain \"\(claimed.trustDomain)\"")
        }
        let id = try X509SVID.verify(chain, bundles: bundle, at: time.now).id
        guard id.trustDomain == bundles.trustDomain || adminIDs.contains(id) else {
            throw SpireError(.unauthenticated, "unexpected trust domain in ID \"\(id)\"")
        }
        return id
    }

    /// Who a certificate chain proves somebody to be, in whatever trust domain there is a bundle of.
    /// - Throws: when it proves nothing.
    static func verify(_ chain: [Certificate], bundles: BundleCache, at time: any TimeSource) async throws -> SPIFFEID {
        let claimed = try claimedID(chain)
        guard let bundle = try await bundles.reading(of: claimed.trustDomain).x509 else {
            throw SpireError(.unauthenticated, "no bundle found for trust domain \"\(claimed.trustDomain)\"")
        }
        return try X509SVID.verify(chain, bundles: bundle, at: time.now).id
    }

    /// The identity the leaf claims, only used to choose the bundle that has to confirm it.
    private static func claimedID(_ chain: [Certificate]) throws -> SPIFFEID {
        guard let leaf = chain.first else { throw SpireError(.unauthenticated, "no client certificate") }
        var uris: [String] = []
        if let names = try leaf.extensions.subjectAlternativeNames {
            for case .uniformResourceIdentifier(let uri) in names { uris.append(uri) }
        }
        guard let uri = uris.first else {
            throw SpireError(.unauthenticated, "client certificate has no URI SAN")
        }
        guard uris.count == 1 else {
            throw SpireError(.unauthenticated, "client certificate has more than one URI SAN")
        }
        do {
            return try SPIFFEID(uri)
        } catch {
            throw SpireError(.unauthenticated, "client certificate has a malformed URI SAN: \(error.message)")
        }
    }

    private func warnAboutMissingBundle(_ trustDomain: TrustDomain) {
        let now = time.uptime
        let due = warnedAt.withLock { warned in
            if let last = warned[trustDomain], now - last < Self.warningInterval { return false }
            // Anybody can name trust domains here: do not remember more than a few.
            if warned.count >= 100 { warned.removeAll() }
            warned[trustDomain] = now
            return true
        }
        guard due else { return }
        logger.warning(
            "No bundle found for foreign admin trust domain; admins from this trust domain will not be able to connect. Make sure this trust domain is correctly federated",
            metadata: [LogKey.trustDomain: "\(trustDomain)"])
    }
}
