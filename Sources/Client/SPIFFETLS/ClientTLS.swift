// SPDX-License-Identifier: Apache-2.0

public import NIOCore
import NIOSSL
public import SPIFFE
public import X509

/// The client's end of TLS connections. Each connection uses what the sources hold at that moment.
///
/// Servers are known by SPIFFE ID, not by host name: the authorizer has to say which ones are right. The web variants
/// are the exception: there the server shows a web certificate for its host name.
public struct ClientTLS: Sendable {
    private let contexts: ContextCache
    private let verifier: PeerVerifier?
    private let hostName: String?
    private let options: TLSOptions

    /// Presents an X.509-SVID and demands one that `bundles` vouch for and `authorizer` accepts.
    public static func mutual(
        svid: any X509SVIDSource, bundles: any X509BundleSource, authorizer: Authorizer,
        options: TLSOptions = TLSOptions()
    ) -> ClientTLS {
        ClientTLS(svid: svid, bundles: bundles, authorizer: authorizer, options: options)
    }

    /// Presents nothing and demands an X.509-SVID that `bundles` vouch for and `authorizer` accepts.
    public static func serverOnly(
        bundles: any X509BundleSource, authorizer: Authorizer, options: TLSOptions = TLSOptions()
    ) -> ClientTLS {
        ClientTLS(svid: nil, bundles: bundles, authorizer: authorizer, options: options)
    }

    /// Presents an X.509-SVID to a server with a web certificate for `hostName`.
    /// - Parameter roots: Whom to trust for web certificates; `nil` for the machine's root store.
    public static func mutualWeb(
        svid: any X509SVIDSource, hostName: String, roots: [Certificate]? = nil, options: TLSOptions = TLSOptions()
    ) -> ClientTLS {
        ClientTLS(svid: svid, hostName: hostName, roots: roots, options: options)
    }

    /// Presents nothing to a server with a web certificate for `hostName`.
    /// - Parameter roots: Whom to trust for web certificates; `nil` for the machine's root store.
    public static func serverOnlyWeb(
        hostName: String, roots: [Certificate]? = nil, options: TLSOptions = TLSOptions()
    ) -> ClientTLS {
        ClientTLS(svid: nil, hostName: hostName, roots: roots, options: options)
    }

    private init(
        svid: (any X509SVIDSource)?, bundles: any X509BundleSource, authorizer: Authorizer, options: TLSOptions
    ) {
        contexts = Self.contexts(svid) { configuration in
            options.configure(&configuration)
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates([])
        }
        verifier = PeerVerifier(bundles: bundles, authorizer: authorizer, now: options.now)
        hostName = nil
        self.options = options
    }

    private init(svid: (any X509SVIDSource)?, hostName: String, roots: [Certificate]?, options: TLSOptions) {
        contexts = Self.contexts(svid) { configuration in
            options.configure(&configuration)
            if let roots {
                configuration.trustRoots = .certificates(
                    try roots.map { try NIOSSLCertificate(bytes: $0.der, format: .der) })
            }
        }
        verifier = nil
        // An address is not named in the handshake; the certificate has to show the one that was connected to.
        let isAddress = (try? SocketAddress(ipAddress: hostName, port: 0)) != nil
        self.hostName = isAddress ? nil : hostName
        self.options = options
    }

    private static func contexts(
        _ svid: (any X509SVIDSource)?, _ configure: @escaping @Sendable (inout TLSConfiguration) throws -> Void
    ) -> ContextCache {
        var certificate: (@Sendable () throws -> TLSCertificate)?
        if let svid { certificate = { TLSCertificate(try svid.x509SVID()) } }
        return ContextCache(certificate, isShared: true) { certificate in
            var configuration = TLSConfiguration.makeClientConfiguration()
            if let certificate {
                configuration.certificateChain = try certificate.nioChain()
                configuration.privateKey = try certificate.nioKey()
            }
            try configure(&configuration)
            return configuration
        }
    }

    /// Adds the TLS handlers to the end of a new connection's pipeline, before any of the application's.
    /// - Throws: What the sources throw when they have nothing to present, or a TLS library error.
    public func addHandlers(to pipeline: ChannelPipeline.SynchronousOperations) throws {
        let context = try contexts.context()
        let peer = PeerHandler(requiresPeer: verifier != nil, handshakeTimeout: options.handshakeTimeout)
        if let verifier {
            try pipeline.addHandler(
                NIOSSLClientHandler(
                    context: context, serverHostname: nil, customVerificationCallback: verifier.callback(peer)))
        } else {
            try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: hostName))
        }
        try pipeline.addHandler(peer)
    }

    /// The same from any thread.
    public func addHandlers(to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.submit { try addHandlers(to: channel.pipeline.syncOperations) }
    }
}
