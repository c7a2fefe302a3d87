// SPDX-License-Identifier: Apache-2.0

import AgentCore
import FoundationEssentials
import Groundwork
import Logging
import NIOCore
import RPC
import SPIFFE
import SwiftProtobuf
import WorkloadProtos

/// The Workload API's stream messages, made of an update and encoded once for everyone who gets it.
enum WorkloadMessages {
    /// - Throws: `Unavailable`, as the original does, should encoding fail.
    static func x509SVIDs(_ update: WorkloadUpdate, _ logger: Logger) throws -> ByteBuffer {
        try update.encoded(.x509SVIDs) { update in
            var message = Workload_X509SVIDResponse()
            let own = Data(update.bundle.concatenatedX509)
            for identity in identities(update, logger) {
                var svid = Workload_X509SVID()
                svid.spiffeID = identity.entry.spiffeID.description
                svid.x509Svid = Data(identity.svid.chain.joined())
                svid.x509SvidKey = identity.svid.privateKey.reveal { Data($0) }
                svid.bundle = own
                svid.hint = identity.entry.hint
                message.svids.append(svid)
            }
            for bundle in update.federated {
                message.federatedBundles[bundle.trustDomain.id.description] = Data(bundle.concatenatedX509)
            }
            return try encode(message)
        }
    }

    /// - Parameter ownOnly: Leaves out federated bundles: for callers without identity.
    static func x509Bundles(_ update: WorkloadUpdate, ownOnly: Bool) throws -> ByteBuffer {
        try update.encoded(ownOnly ? .ownX509Bundle : .x509Bundles) { update in
            var message = Workload_X509BundlesResponse()
            for bundle in [update.bundle] + (ownOnly ? [] : update.federated) {
                message.bundles[bundle.trustDomain.id.description] = Data(bundle.concatenatedX509)
            }
            return try encode(message)
        }
    }

    /// - Parameter ownOnly: Leaves out federated bundles: for callers without identity.
    static func jwtBundles(_ update: WorkloadUpdate, ownOnly: Bool) throws -> ByteBuffer {
        try update.encoded(ownOnly ? .ownJWTBundle : .jwtBundles) { update in
            var message = Workload_JWTBundlesResponse()
            for bundle in [update.bundle] + (ownOnly ? [] : update.federated) {
                message.bundles[bundle.trustDomain.id.description] = try jwks(bundle)
            }
            return try encode(message)
        }
    }

    /// The identities whose hints do not collide.
    static func identities(_ update: WorkloadUpdate, _ logger: Logger) -> [WorkloadUpdate.Identity] {
        let kept = keep(update.identities.map(\.entry), logger)
        if kept.count == update.identities.count { return update.identities }
        let ids = Set(kept.map(\.id))
        return update.identities.filter { ids.contains($0.entry.id) }
    }

    /// The entries whose hints do not collide; the others are logged.
    static func keep(_ entries: [AgentEntry], _ logger: Logger) -> [AgentEntry] {
        guard entries.contains(where: { !$0.hint.isEmpty }) else { return entries }
        let (kept, dropped) = entries.withUniqueHints()
        for entry in dropped {
            logger.warning(
                "Ignoring entry with duplicate hint",
                metadata: [LogKey.entryID: "\(entry.id)", "hint": "\(entry.hint)"])
        }
        return kept
    }

    private struct JWKS: Sendable {
        let document: Data
    }

    private static func jwks(_ bundle: TrustBundle) throws -> Data {
        try bundle.derived(JWKS.self) { JWKS(document: Data(try jwtBundle($0).jwks())) }.document
    }

    /// The bundle's JWT authorities, those that cannot be read left out.
    static func jwtBundle(_ bundle: TrustBundle) -> JWTBundle {
        bundle.derived(JWTBundle.self) { bundle in
            let authorities = bundle.jwtAuthorities.compactMap { authority -> JWTAuthority? in
                guard let key = try? PublicKey(spki: authority.spki) else { return nil }
                return JWTAuthority(keyID: authority.keyID, publicKey: key)
            }
            return JWTBundle(bundle.trustDomain, authorities: authorities)
        }
    }

    private static func encode(_ message: some Message) throws -> ByteBuffer {
        // The order of map entries must not differ between equal messages: equal ones are not sent twice.
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        let bytes: [UInt8]
        do {
            bytes = try message.serializedBytes(options: options)
        } catch {
            throw RPCStatus(.unavailable, "could not serialize response: \(error)")
        }
        return ByteBuffer(bytes: bytes)
    }
}
