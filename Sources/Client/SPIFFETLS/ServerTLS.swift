// SPDX-License-Identifier: Apache-2.0

public import NIOCore
import NIOSSL
public import SPIFFE

/// The server's end of TLS connections. Each connection uses what the sources hold at that moment: nothing has to be
/// restarted when an SVID or a bundle changes, and open connections go on.
///
/// ```swift
/// let tls = ServerTLS.mutual(svid: source, bundles: source, authorizer: .memberOf(trustDomain))
/// ServerBootstrap(group: group).childChannelInitializer { channel in
///     channel.eventLoop.makeCompletedFuture { try tls.addHandlers(to: channel.pipeline.syncOperations) }
/// }
/// ```
public struct ServerTLS: Sendable {
    private let contexts: ContextCache
    private let verifier: PeerVerifier?
    private let options: TLSOptions

    private init(
        certificate: @escaping @Sendable () throws -> TLSCertificate, verifier: PeerVerifier?, options: TLSOptions
    ) {
        contexts = ContextCache(certificate, isShared: verifier == nil) { certificate in
            guard let certificate else { throw SPIFFEError(.invalidX509SVID, "a server must present a certificate") }
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try certificate.nioChain(), privateKey: try certificate.nioKey())
            options.configure(&configuration)
            if verifier != nil {
                configuration.certificateVerification = .noHostnameVerification
                configuration.trustRoots = .certificates([])
            }
            return configuration
        }
        self.verifier = verifier
        self.options = options
    }

    /// Presents an X.509-SVID and demands one that `bundles` vouch for and `authorizer` lets in.
    public static func mutual(
        svid: any X509SVIDSource, bundles: any X509BundleSource, authorizer: Authorizer,
        options: TLSOptions = TLSOptions()
    ) -> ServerTLS {
        ServerTLS(
            certificate: { TLSCertificate(try svid.x509SVID()) },
            verifier: PeerVerifier(bundles: bundles, authorizer: authorizer, now: options.now), options: options)
    }

    /// Presents an X.509-SVID and asks clients for nothing.
    public static func serverOnly(svid: any X509SVIDSource, options: TLSOptions = TLSOptions()) -> ServerTLS {
        ServerTLS(certificate: { TLSCertificate(try svid.x509SVID()) }, verifier: nil, options: options)
    }

    /// Presents a web certificate, for clients that go by host names, and demands an X.509-SVID.
    /// - Parameter certificate: Asked for each connection; must answer from memory.
    public static func mutualWeb(
        certificate: @escaping @Sendable () throws -> TLSCertificate, bundles: any X509BundleSource,
        authorizer: Authorizer, options: TLSOptions = TLSOptions()
    ) -> ServerTLS {
        ServerTLS(
            certificate: certificate,
            verifier: PeerVerifier(bundles: bundles, authorizer: authorizer, now: options.now), options: options)
    }

    /// Adds the TLS handlers to the end of a new connection's pipeline, before any of the application's.
    /// - Throws: What the sources throw when they have nothing to present, or a TLS library error.
    public func addHandlers(to pipeline: ChannelPipeline.SynchronousOperations) throws {
        let context = try contexts.context()
        let peer = PeerHandler(requiresPeer: verifier != nil, handshakeTimeout: options.handshakeTimeout)
        if let verifier {
            try pipeline.addHandler(
                NIOSSLServerHandler(context: context, customVerificationCallback: verifier.callback(peer)))
        } else {
            try pipeline.addHandler(NIOSSLServerHandler(context: context))
        }
        try pipeline.addHandler(peer)
    }

    /// The same from any thread.
    public func addHandlers(to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.submit { try addHandlers(to: channel.pipeline.syncOperations) }
    }
}
