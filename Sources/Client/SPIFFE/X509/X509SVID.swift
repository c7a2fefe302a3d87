// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials
public import X509

/// An X.509 identity document with its private key: what a workload presents.
///
/// Construction checks the document's own rules and that the key belongs to it. It does not check trust: see
/// ``verify(_:bundles:at:)`` for chains that others present.
/// > Spec: X509-SVID §2 to §4.
public struct X509SVID: Sendable {
    /// The identity the leaf carries.
    public let id: SPIFFEID
    /// The leaf, then the intermediates that lead towards a root.
    public let chain: [Certificate]
    /// The leaf's private key.
    public let privateKey: PrivateKey
    /// What the operator tells about the use of this identity; empty when nothing.
    public let hint: String

    /// - Throws: `invalid_x509_svid` when a rule is broken, `invalid_key` when the key is not the leaf's.
    public init(chain: [Certificate], privateKey: PrivateKey, hint: String = "") throws {
        guard let leaf = chain.first else { throw SPIFFEError(.invalidX509SVID, "no certificates found") }
        id = try X509Rules.checkOwnLeaf(leaf)
        for signer in chain.dropFirst() { try X509Rules.checkOwnSigner(signer) }
        guard try PublicKey(leaf.publicKey) == privateKey.publicKey else {
            throw SPIFFEError(.invalidKey, "leaf certificate does not match private key")
        }
        self.chain = chain
        self.privateKey = privateKey
        self.hint = hint
    }

    /// Parses the Workload API's form.
    /// - Parameters:
    ///   - der: DER certificates laid end to end, leaf first.
    ///   - pkcs8: DER of the unencrypted private key.
    /// - Throws: `invalid_x509_svid`, `invalid_key`.
    public init(der: [UInt8], pkcs8: [UInt8], hint: String = "") throws {
        try self.init(chain: Certificate.sequence(der: der), privateKey: PrivateKey(pkcs8: pkcs8), hint: hint)
    }

    /// Parses PEM texts; both may be the same text holding certificates and key.
    /// - Throws: `invalid_x509_svid`, `invalid_key`.
    public init(pem certificates: String, keyPEM: String) throws {
        try self.init(chain: Certificate.sequence(pem: certificates), privateKey: PrivateKey(pem: keyPEM))
    }

    /// The certificate that carries the identity.
    public var leaf: Certificate { chain[0] }
    /// When the leaf becomes valid.
    public var notBefore: Date { leaf.notValidBefore }
    /// When the leaf expires.
    public var notAfter: Date { leaf.notValidAfter }
}
