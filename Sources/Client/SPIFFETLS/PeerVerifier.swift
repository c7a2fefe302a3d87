// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOSSL
import SPIFFE
import X509

/// Verifies what a peer presents, then asks whether it is welcome.
struct PeerVerifier: Sendable {
    let bundles: any X509BundleSource
    let authorizer: Authorizer
    let now: @Sendable () -> Date

    func verify(_ presented: [NIOSSLCertificate]) throws -> VerifiedX509SVID {
        guard presented.count <= ChainVerifier.maximumChainLength else {
            throw SPIFFEError(.untrusted, "chain has more than \(ChainVerifier.maximumChainLength) certificates")
        }
        let peer = try verify(presented.map { try $0.toDERBytes() }, bundles)
        try authorizer.authorize(peer)
        return peer
    }

    // Opens the existential.
    private func verify(_ chain: [[UInt8]], _ bundles: some X509BundleSource) throws -> VerifiedX509SVID {
        try X509SVID.verify(der: chain, bundles: bundles, at: now())
    }

    /// The callback for one connection, which runs on its event loop.
    func callback(
        _ handler: PeerHandler
    ) -> ([NIOSSLCertificate], EventLoopPromise<NIOSSLVerificationResult>) -> Void {
        { presented, promise in
            do {
                handler.accept(try verify(presented))
                promise.succeed(.certificateVerified)
            } catch {
                handler.refuse(error)
                promise.succeed(.failed)
            }
        }
    }
}
