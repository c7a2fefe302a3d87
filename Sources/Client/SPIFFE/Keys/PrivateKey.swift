// SPDX-License-Identifier: Apache-2.0

import Crypto
import CryptoExtras
import FoundationEssentials
public import X509

/// The private key of an X.509-SVID: ECDSA on P-256, P-384 or P-521, or RSA of at least 2,048 bits. It does not print.
public struct PrivateKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private enum Backing: Sendable {
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case p521(P521.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    private let backing: Backing
    /// Its public half.
    public let publicKey: PublicKey

    private init(_ backing: Backing) {
        self.backing = backing
        publicKey =
            switch backing {
            case .p256(let key): PublicKey(.p256(key.publicKey))
            case .p384(let key): PublicKey(.p384(key.publicKey))
            case .p521(let key): PublicKey(.p521(key.publicKey))
            case .rsa(let key): PublicKey(.rsa(key.publicKey))
            }
    }

    /// Makes a new P-256 key.
    public static func generate() -> PrivateKey { PrivateKey(.p256(P256.Signing.PrivateKey())) }

    /// Parses an unencrypted PKCS #8 key in DER, as the Workload API sends it.
    /// - Throws: `invalid_key`.
    public init(pkcs8: [UInt8]) throws {
        guard pkcs8.count <= 16384 else { throw SPIFFEError(.invalidKey, "private key is too large") }
        // The P-curve parsers look at the curve first, so that a key of another curve costs little.
        if let key = try? P256.Signing.PrivateKey(derRepresentation: pkcs8) {
            self.init(.p256(key))
        } else if let key = try? P384.Signing.PrivateKey(derRepresentation: pkcs8) {
            self.init(.p384(key))
        } else if let key = try? P521.Signing.PrivateKey(derRepresentation: pkcs8) {
            self.init(.p521(key))
        } else if let key = try? _RSA.Signing.PrivateKey(derRepresentation: pkcs8) {
            self.init(.rsa(key))
        } else {
            throw SPIFFEError(.invalidKey, "private key is malformed or of an unsupported kind")
        }
    }

    /// Parses the first private key block of a PEM text (`PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`).
    /// - Throws: `invalid_key`.
    public init(pem: String) throws {
        let blocks: [PEMBlock]
        do {
            blocks = try PEMBlock.all(pem)
        } catch {
            throw SPIFFEError(.invalidKey, "private key is not valid PEM: \(error)")
        }
        guard let block = blocks.first(where: { $0.label.hasSuffix("PRIVATE KEY") }) else {
            throw SPIFFEError(.invalidKey, "no private key block found")
        }
        try self.init(pkcs8: block.der)
    }

    /// The key as unencrypted PKCS #8 DER. Handle with care: this is the secret itself.
    public var pkcs8: [UInt8] {
        switch backing {
        case .p256(let key): Array(key.derRepresentation)
        case .p384(let key): Array(key.derRepresentation)
        case .p521(let key): Array(key.derRepresentation)
        case .rsa(let key): Array(key.pkcs8DERRepresentation)
        }
    }

    /// The key as swift-certificates takes it, for signing certificates and requests.
    public var certificateKey: Certificate.PrivateKey {
        switch backing {
        case .p256(let key): Certificate.PrivateKey(key)
        case .p384(let key): Certificate.PrivateKey(key)
        case .p521(let key): Certificate.PrivateKey(key)
        case .rsa(let key): Certificate.PrivateKey(key)
        }
    }

    public var description: String { "(private key)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
