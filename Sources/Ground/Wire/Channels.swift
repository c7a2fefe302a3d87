// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import NIOPosix
import NIOSSL
package import RPC
import SPIFFETLS
package import X509

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Clients for the ways there are to reach a server.
package enum Channels {
    /// A client of the server that listens on the Unix socket `path`.
    package static func unix(
        path: String, group: any EventLoopGroup, configuration: RPCClientConfiguration = RPCClientConfiguration()
    ) -> RPCClient {
        RPCClient(group: group, configuration: configuration) { loop in
            dial(path, on: loop, until: .now() + configuration.connectTimeout, pause: .milliseconds(2))
                .flatMapErrorThrowing { throw DialError.failure("unix", path, $0) }
        }
    }

    /// A Unix socket whose queue of callers is full turns the next one away at once, where a TCP socket lets it wait: so
    /// the waiting is done here.
    private static func dial(
        _ path: String, on loop: any EventLoop, until deadline: NIODeadline, pause: TimeAmount
    ) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: loop)
            .connectTimeout(deadline - .now())
            .channelOption(.recvAllocator, value: ConnectionOptions.receiveAllocator)
            .channelOption(.maxMessagesPerRead, value: ConnectionOptions.messagesPerRead)
            .connect(unixDomainSocketPath: path)
            .flatMapError { error in
                guard (error as? IOError)?.errnoCode == EAGAIN, .now() + pause < deadline else {
                    return loop.makeFailedFuture(error)
                }
                return loop.flatScheduleTask(in: pause) {
                    dial(path, on: loop, until: deadline, pause: min(pause * 2, .milliseconds(100)))
                }.futureResult
            }
    }

    /// A client of a server on a TCP port, without TLS: for helpers beside this program.
    package static func tcp(
        host: String, port: Int, group: any EventLoopGroup,
        configuration: RPCClientConfiguration = RPCClientConfiguration()
    ) -> RPCClient {
        let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var configuration = configuration
        if configuration.authority == RPCClientConfiguration().authority { configuration.authority = address }
        let timeout = configuration.connectTimeout
        return RPCClient(group: group, configuration: configuration) { loop in
            ClientBootstrap(group: loop)
                .connectTimeout(timeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port)
                .flatMapErrorThrowing { throw DialError.failure("tcp", address, $0) }
        }
    }

    /// A client of a server over TLS that has a certificate for its host name, as on the web.
    ///
    /// - Parameter roots: Who may vouch for it; `nil` for whom the machine trusts.
    package static func web(
        host: String, port: Int, roots: [Certificate]?, group: any EventLoopGroup,
        configuration: RPCClientConfiguration = RPCClientConfiguration()
    ) -> RPCClient {
        var options = TLSOptions()
        options.applicationProtocols = ["h2"]
        let tls = ClientTLS.serverOnlyWeb(hostName: host, roots: roots, options: options)
        return secured(host, port, group, configuration) { pipeline in
            try tls.addHandlers(to: pipeline)
            return { $0 }
        }
    }

    /// A client of a server over TLS.
    ///
    /// - Parameters:
    ///   - identity: Asked for each connection; `nil` connects without a client certificate.
    ///   - verifyServer: Judges the server's chain, leaf first; throwing ends the connection.
    package static func tls(
        host: String, port: Int, group: any EventLoopGroup,
        configuration: RPCClientConfiguration = RPCClientConfiguration(), policy: TLSContextMaker.Policy = .standard,
        identity: @escaping @Sendable () -> TLSIdentity?,
        verifyServer: @escaping @Sendable ([Certificate]) async throws -> Void
    ) -> RPCClient {
        let contexts = TLSContextMaker(.client, policy)
        return secured(host, port, group, configuration) { pipeline in
            let peer = VerifiedPeer()
            let tls = try NIOSSLClientHandler(
                context: try contexts.context(identity()), serverHostname: nil,
                customVerificationCallbackWithMetadata: peer.callback {
                    try await verifyServer($0)
                    return nil
                })
            try pipeline.addHandler(tls)
            // A refusal of ours says more than the alert it became.
            return { peer.failure ?? $0 }
        }
    }

    /// A client whose connections begin with a handshake.
    ///
    /// - Parameter secure: Puts the handshake's handlers on a new connection; what it returns tells why one failed, given
    ///   what the connection says of it.
    private static func secured(
        _ host: String, _ port: Int, _ group: any EventLoopGroup, _ configuration: RPCClientConfiguration,
        _ secure: @escaping @Sendable (ChannelPipeline.SynchronousOperations) throws -> @Sendable (any Error) -> any Error
    ) -> RPCClient {
        let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var configuration = configuration
        configuration.scheme = "https"
        if configuration.authority == RPCClientConfiguration().authority { configuration.authority = address }
        let timeout = configuration.connectTimeout
        return RPCClient(group: group, configuration: configuration) { loop in
            let shaken = loop.makePromise(of: Void.self)
            return ClientBootstrap(group: loop)
                // The system orders a name's addresses in the same way each time: all clients would go to one server.
                .resolver(NIORandomizedDNSResolver(loop: loop))
                .connectTimeout(timeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        let reason = try secure(pipeline)
                        let waiting = HandshakeHandler(timeout: timeout) { outcome in
                            shaken.completeWith(
                                outcome.mapError { error -> any Error in
                                    error as? ConnectFailure ?? ConnectFailure(.handshake, DialError.reason(reason(error)))
                                })
                        }
                        try pipeline.addHandler(waiting)
                    }
                }
                .connect(host: host, port: port)
                .flatMapErrorThrowing { error in
                    shaken.fail(error)
                    throw DialError.failure("tcp", address, error)
                }
                .flatMap { channel in
                    shaken.futureResult.map { channel }.flatMapErrorThrowing { error in
                        channel.close(promise: nil)
                        throw error
                    }
                }
        }
    }
}
