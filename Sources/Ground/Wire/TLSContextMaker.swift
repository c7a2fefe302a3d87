// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Issuance
import NIOCore
package import NIOSSL
import SPIFFE
import Synchronization
package import X509

/// Makes the TLS context of one connection from an identity, keeping the parsed chain and key between connections.
///
/// Every connection has a context of its own: session tickets are sealed with a context's key, so none of ours can ever
/// be resumed, and a client's certificate is judged anew on each connection.
package final class TLSContextMaker: Sendable {
    private struct Parsed {
        let chain: [[UInt8]]
        let certificates: [NIOSSLCertificateSource]
        let key: NIOSSLPrivateKeySource
        let isLimitedToTLS12: Bool
    }

    /// What a web server asks of its clients.
    package enum ClientDemand: Sendable {
        case nothing
        /// A certificate; the connection's own callback judges it.
        case anything
        case signedBy([Certificate])
    }

    package enum Side: Sendable {
        case server, client
        /// Speaks HTTP/1.1, not gRPC.
        case webServer(ClientDemand)
    }

    /// Which key exchanges are spoken.
    package enum Policy: Sendable {
        case standard
        /// TLS 1.3 with X25519MLKEM768 only: who records a connection today cannot read it with a quantum computer.
        case postQuantum

        package init(requiresPostQuantum: Bool) { self = requiresPostQuantum ? .postQuantum : .standard }
    }

    private let side: Side
    private let policy: Policy
    private let parsed = Mutex<Parsed?>(nil)

    package init(_ side: Side, _ policy: Policy = .standard) {
        self.side = side
        self.policy = policy
    }

    /// - Throws: `wire.bad_tls_identity`.
    package func context(_ identity: TLSIdentity?) throws -> NIOSSLContext {
        var configuration: TLSConfiguration
        var protocols = ["h2"]
        var roots: [NIOSSLCertificate] = []
        do {
            let own = try identity.map(parse)
            switch side {
            case .server:
                guard let own else { throw SpireError(.badTLSIdentity, "a TLS server needs an identity") }
                configuration = .makeServerConfiguration(certificateChain: own.certificates, privateKey: own.key)
                configuration.certificateVerification = .optionalVerification
            case .webServer(let demand):
                guard let own else { throw SpireError(.badTLSIdentity, "a TLS server needs an identity") }
                configuration = .makeServerConfiguration(certificateChain: own.certificates, privateKey: own.key)
                protocols = ["http/1.1"]
                switch demand {
                case .nothing: configuration.certificateVerification = .none
                case .anything: configuration.certificateVerification = .noHostnameVerification
                case .signedBy(let authorities):
                    configuration.certificateVerification = .noHostnameVerification
                    roots = try authorities.map { try NIOSSLCertificate(bytes: $0.der, format: .der) }
                }
            case .client:
                configuration = .makeClientConfiguration()
                configuration.certificateVerification = .noHostnameVerification
                if let own {
                    configuration.certificateChain = own.certificates
                    configuration.privateKey = own.key
                }
            }
            // Our own callback judges chains; nothing is trusted besides, unless authorities are named.
            configuration.trustRoots = .certificates(roots)
            configuration.minimumTLSVersion = .tlsv12
            if own?.isLimitedToTLS12 == true { configuration.maximumTLSVersion = .tlsv12 }
            if policy == .postQuantum {
                guard own?.isLimitedToTLS12 != true else {
                    throw SpireError(
                        .badTLSIdentity, "a post-quantum key exchange needs TLS 1.3, which this RSA key cannot be used for")
                }
                configuration.minimumTLSVersion = .tlsv13
                configuration.curves = [.x25519_MLKEM768]
            }
            configuration.applicationProtocols = protocols
            return try NIOSSLContext(configuration: configuration)
        } catch let error as SpireError {
            throw error
        } catch {
            throw SpireError(.badTLSIdentity, "cannot use the TLS certificate or key: \(Self.complaint(error))")
        }
    }

    /// Why the TLS library does not take an identity, for people: its own errors are lists of places in its source.
    private static func complaint(_ error: any Error) -> String {
        switch error as? NIOSSLError {
        case .failedToLoadCertificate: "a certificate cannot be read"
        case .failedToLoadPrivateKey: "the key cannot be read"
        default: "they do not belong together or are of a kind that is not supported"
        }
    }

    private func parse(_ identity: TLSIdentity) throws -> Parsed {
        if let known = parsed.withLock({ $0 }), known.chain == identity.chain { return known }
        let certificates = try identity.chain.map {
            NIOSSLCertificateSource.certificate(try NIOSSLCertificate(bytes: $0, format: .der))
        }
        let made: Parsed
        switch identity.key {
        case .local(let pkcs8):
            let key = try pkcs8.reveal { try NIOSSLPrivateKey(bytes: $0, format: .der) }
            made = Parsed(
                chain: identity.chain, certificates: certificates, key: .privateKey(key), isLimitedToTLS12: false)
        case .signer(let signer):
            let key = try SignerKey(signer)
            made = Parsed(
                chain: identity.chain, certificates: certificates,
                key: .privateKey(NIOSSLPrivateKey(customPrivateKey: key)), isLimitedToTLS12: key.isRSA)
        }
        parsed.withLock { $0 = made }
        return made
    }
}

/// A `Signer` as NIOSSL asks for signatures.
final class SignerKey: NIOSSLCustomPrivateKey, Hashable {
    private let signer: any Signer
    private let scheme: SignatureScheme
    let signatureAlgorithms: [SignatureAlgorithm]
    /// TLS 1.3 wants RSA-PSS, which a `Signer` does not make.
    let isRSA: Bool

    init(_ signer: any Signer) throws {
        self.signer = signer
        switch signer.publicKey.type {
        case .ecP256: (scheme, signatureAlgorithms, isRSA) = (.ecdsaSHA256, [.ecdsaSecp256R1Sha256], false)
        case .ecP384: (scheme, signatureAlgorithms, isRSA) = (.ecdsaSHA384, [.ecdsaSecp384R1Sha384], false)
        case .rsa2048, .rsa4096: (scheme, signatureAlgorithms, isRSA) = (.rsaPKCS1SHA256, [.rsaPkcs1Sha256], true)
        case nil: throw SpireError(.badTLSIdentity, "this kind of key cannot be used for TLS")
        }
    }

    func sign(channel: any Channel, algorithm: SignatureAlgorithm, data: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
        let message = Array(data.readableBytesView)
        if let immediate = signer as? any ImmediateSigner {
            return channel.eventLoop.makeCompletedFuture {
                ByteBuffer(bytes: try immediate.signNow(message, scheme: scheme))
            }
        }
        return channel.eventLoop.makeFutureWithTask { [signer, scheme] in
            ByteBuffer(bytes: try await signer.sign(message, scheme: scheme))
        }
    }

    func decrypt(channel: any Channel, data: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
        channel.eventLoop.makeFailedFuture(SpireError(.badTLSIdentity, "RSA key exchange is not supported"))
    }

    static func == (a: SignerKey, b: SignerKey) -> Bool { a.signer.publicKey == b.signer.publicKey }
    func hash(into hasher: inout Hasher) { hasher.combine(signer.publicKey) }
}
