// SPDX-License-Identifier: Apache-2.0

import NIOSSL
public import SPIFFE
public import X509

/// A certificate chain with its key, for the ends of connections that do not present an SVID but a web certificate.
public struct TLSCertificate: Sendable {
    /// Leaf first.
    public let chain: [Certificate]
    /// The leaf's key.
    public let privateKey: PrivateKey

    /// - Throws: `invalid_key` when the chain is empty or the key is not the leaf's.
    public init(chain: [Certificate], privateKey: PrivateKey) throws {
        guard let leaf = chain.first, try PublicKey(leaf.publicKey) == privateKey.publicKey else {
            throw SPIFFEError(.invalidKey, "leaf certificate does not match private key")
        }
        self.chain = chain
        self.privateKey = privateKey
    }

    /// Parses PEM texts; both may be the same text.
    /// - Throws: `invalid_x509_svid`, `invalid_key`.
    public init(pem certificates: String, keyPEM: String) throws {
        try self.init(chain: Certificate.sequence(pem: certificates), privateKey: PrivateKey(pem: keyPEM))
    }

    init(_ svid: X509SVID) {
        chain = svid.chain
        privateKey = svid.privateKey
    }

    func nioChain() throws -> [NIOSSLCertificateSource] {
        try chain.map { .certificate(try NIOSSLCertificate(bytes: $0.der, format: .der)) }
    }

    func nioKey() throws -> NIOSSLPrivateKeySource {
        .privateKey(try NIOSSLPrivateKey(bytes: privateKey.pkcs8, format: .der))
    }
}
