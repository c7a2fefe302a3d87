// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials
public import X509

/// Somebody else's X.509-SVID after verification. Only verification makes one: holding it is the proof.
public struct VerifiedX509SVID: Sendable, Hashable {
    /// The identity the leaf carries.
    public let id: SPIFFEID
    /// The path that was found: leaf, intermediates, root.
    public let chain: [Certificate]

    init(id: SPIFFEID, chain: [Certificate]) {
        self.id = id
        self.chain = chain
    }

    /// The certificate that carries the identity.
    public var leaf: Certificate { chain[0] }
    /// The authority of the trust domain's bundle the path ends in.
    public var root: Certificate { chain[chain.count - 1] }
}

extension X509SVID {
    /// Verifies a chain somebody presents, leaf first, against the bundle of the leaf's trust domain.
    ///
    /// Synchronous and bounded: at most ``ChainVerifier/maximumChainLength`` certificates are looked at and
    /// ``ChainVerifier/maximumSignatureChecks`` signatures checked, however the chain was made.
    /// - Parameter time: The time at which each certificate must be valid.
    /// - Throws: `invalid_x509_svid` when the leaf breaks a rule of the standard, `bundle_not_found`, `untrusted`.
    /// > Spec: X509-SVID §5.
    public static func verify(
        _ chain: [Certificate], bundles: some X509BundleSource, at time: Date
    ) throws -> VerifiedX509SVID {
        guard let leaf = chain.first else { throw SPIFFEError(.invalidX509SVID, "empty certificates chain") }
        let id = try X509Rules.checkPresentedLeaf(leaf)
        let bundle = try bundles.x509Bundle(for: id.trustDomain)
        do {
            let path = try ChainVerifier(roots: bundle.authorities).path(from: chain, at: time)
            return VerifiedX509SVID(id: id, chain: path)
        } catch {
            throw SPIFFEError(error.code, "could not verify leaf certificate: \(error.message)")
        }
    }

    /// Parses and verifies a chain of DER certificates, leaf first.
    /// - Throws: as ``verify(_:bundles:at:)``.
    public static func verify(
        der chain: [[UInt8]], bundles: some X509BundleSource, at time: Date
    ) throws -> VerifiedX509SVID {
        guard chain.count <= ChainVerifier.maximumChainLength else { throw ChainVerifier.tooLong }
        return try verify(chain.map { try Certificate(spiffeDER: $0) }, bundles: bundles, at: time)
    }
}
