// SPDX-License-Identifier: Apache-2.0

import Groundwork
import NIOCore
import NIOSSL
import SPIFFE
import SPIFFETLS
package import Wire
package import X509

/// The TLS side of a `WebListener`. Certificates and judgements are asked for with each connection, so whatever rotates
/// behind them needs no restart; nothing is ever resumed, so every client is judged anew.
package struct WebTLS: Sendable {
    /// What clients have to show.
    package enum Clients: Sendable {
        /// Nothing.
        case anyone
        /// A certificate that leads to one of these authorities.
        case signedBy([Certificate])
        /// A certificate whose chain, leaf first and never empty, this lets pass. Throwing ends the connection.
        case judged(@Sendable ([Certificate]) async throws -> Void)
    }

    private let contexts: TLSContextMaker
    private let identity: @Sendable () -> TLSIdentity?
    private let clients: Clients

    /// - Parameter identity: Asked for each connection, from memory; `nil` refuses it.
    package init(
        identity: @escaping @Sendable () -> TLSIdentity?, clients: Clients = .anyone,
        policy: TLSContextMaker.Policy = .standard
    ) {
        self.identity = identity
        self.clients = clients
        contexts = TLSContextMaker(.webServer(Self.demand(clients)), policy)
    }

    private static func demand(_ clients: Clients) -> TLSContextMaker.ClientDemand {
        switch clients {
        case .anyone: .nothing
        case .signedBy(let authorities): .signedBy(authorities)
        case .judged: .anything
        }
    }

    /// A certificate and key from PEM files, read once.
    /// - Throws: `invalid_argument` naming the file.
    package static func files(certificate: String, key: String) throws -> TLSIdentity {
        let certificates = try text(of: certificate)
        let keyText = try text(of: key)
        do {
            let pair = try TLSCertificate(pem: certificates, keyPEM: keyText)
            return TLSIdentity(
                chain: pair.chain.map(\.der), key: .local(pkcs8: Secret(pair.privateKey.pkcs8)))
        } catch {
            throw SpireError(.invalid, "unable to use certificate file \(certificate) with key file \(key): \(error)")
        }
    }

    /// The certificates of a PEM file.
    /// - Throws: `invalid_argument` naming the file.
    package static func authorities(file: String) throws -> [Certificate] {
        let text = try text(of: file)
        let found: [Certificate]
        do {
            found = try Certificate.sequence(pem: text)
        } catch {
            throw SpireError(.invalid, "unable to read certificates of \(file): \(error)")
        }
        guard !found.isEmpty else { throw SpireError(.invalid, "\(file) holds no certificate") }
        return found
    }

    private static func text(of path: String) throws -> String {
        guard let bytes = try AtomicFile.read(path, limit: 1 << 20) else {
            throw SpireError(.invalid, "there is no file \(path)")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Adds the TLS handler to a new connection, before anything else.
    func addHandlers(to pipeline: ChannelPipeline.SynchronousOperations) throws {
        guard let identity = identity() else { throw ChannelError.eof }
        let context = try contexts.context(identity)
        guard case .judged(let judge) = clients else {
            return try pipeline.addHandler(NIOSSLServerHandler(context: context))
        }
        let peer = VerifiedPeer()
        try pipeline.addHandler(
            NIOSSLServerHandler(
                context: context,
                customVerificationCallbackWithMetadata: peer.callback {
                    try await judge($0)
                    return nil
                }))
    }
}
