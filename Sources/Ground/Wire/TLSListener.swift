// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import NIOCore
import NIOPosix
import NIOSSL
package import RPC
package import SPIFFE
import Synchronization
package import X509

/// gRPC over TLS on a TCP port, with an optional client certificate.
package final class TLSListener: Sendable {
    /// Limits of connections that have not finished their handshake.
    package struct Configuration: Sendable {
        /// How long a handshake may take.
        package var handshakeTimeout: TimeAmount = .seconds(20)
        /// Most connections at once that have not finished it; further ones are closed on accept.
        package var maximumHandshakes = 1_000
        /// Whose PROXY headers are believed. Others may not send one: it is no beginning of a TLS connection.
        package var trustedProxies: [CIDRBlock] = []
        package var policy = TLSContextMaker.Policy.standard
        package init() {}
    }

    /// Where it listens; the port is the one the system chose when 0 was asked for.
    package let address: SocketAddress
    private let channel: any Channel
    private let accepting: TLSAcceptor

    private init(channel: any Channel, address: SocketAddress, accepting: TLSAcceptor) {
        self.channel = channel
        self.address = address
        self.accepting = accepting
    }

    /// Listens on `host`:`port` and serves every connection with `server`.
    ///
    /// - Parameters:
    ///   - identity: Asked for each connection, so that a new identity needs no restart. `nil` refuses the connection.
    ///   - verifyClient: Judges the presented chain, leaf first, and returns who it is; throwing refuses the handshake.
    ///     Not asked when the client shows no certificate.
    /// - Throws: `io` when the address cannot be bound.
    package static func bind(
        host: String, port: Int, group: any EventLoopGroup, server: RPCServer,
        configuration: Configuration = Configuration(),
        identity: @escaping @Sendable () -> TLSIdentity?,
        verifyClient: @escaping @Sendable ([Certificate]) async throws -> SPIFFEID
    ) async throws -> TLSListener {
        let accepting = TLSAcceptor(
            server: server, configuration: configuration, identity: identity, verifyClient: verifyClient)
        let bootstrap = ConnectionOptions.apply(ServerBootstrap(group: group))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { accepting.accept($0) }
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(host: host, port: port).get()
        } catch {
            throw SpireError(.io, "cannot listen on \(host):\(port): \(DialError.reason(error))")
        }
        guard let address = channel.localAddress else {
            try? await channel.close().get()
            throw SpireError(.io, "cannot listen on \(host):\(port): the system names no address")
        }
        return TLSListener(channel: channel, address: address, accepting: accepting)
    }

    /// How many connections have not finished their handshake.
    package var openHandshakes: Int { accepting.openHandshakes }

    /// Stops accepting. Connections go on; `RPCServer.drain` ends those.
    package func close() async { try? await channel.close().get() }
}

/// Takes accepted connections through their handshake.
private final class TLSAcceptor: Sendable {
    private let server: RPCServer
    private let configuration: TLSListener.Configuration
    private let identity: @Sendable () -> TLSIdentity?
    private let verifyClient: @Sendable ([Certificate]) async throws -> SPIFFEID
    private let contexts: TLSContextMaker
    private let handshakes = Mutex(0)

    var openHandshakes: Int { handshakes.withLock { $0 } }

    init(
        server: RPCServer, configuration: TLSListener.Configuration,
        identity: @escaping @Sendable () -> TLSIdentity?,
        verifyClient: @escaping @Sendable ([Certificate]) async throws -> SPIFFEID
    ) {
        self.server = server
        self.configuration = configuration
        self.identity = identity
        self.verifyClient = verifyClient
        contexts = TLSContextMaker(.server, configuration.policy)
    }

    func accept(_ channel: any Channel) -> EventLoopFuture<Void> {
        let isAdmitted = handshakes.withLock { count in
            guard count < configuration.maximumHandshakes else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { return channel.eventLoop.makeFailedFuture(ChannelError.eof) }
        return channel.eventLoop.makeCompletedFuture { try self.begin(channel) }
            .flatMapErrorThrowing { error in
                self.handshakes.withLock { $0 -= 1 }
                throw error
            }
    }

    /// Waits for a trusted proxy's header; everybody else speaks TLS at once.
    private func begin(_ channel: any Channel) throws {
        let remote = channel.remoteAddress
        guard let remote, configuration.trustedProxies.contains(where: { $0.contains(remote) }) else {
            return try setUp(channel, address: Self.text(remote))
        }
        let reader = ProxyHeaderReader(timeout: configuration.handshakeTimeout) { result in
            do {
                try self.setUp(channel, address: try result.get() ?? Self.text(remote))
            } catch {
                self.handshakes.withLock { $0 -= 1 }
                channel.close(promise: nil)
            }
        }
        try channel.pipeline.syncOperations.addHandler(reader)
    }

    private func setUp(_ channel: any Channel, address: String) throws {
        guard let identity = identity() else { throw ChannelError.eof }
        let verifyClient = self.verifyClient
        let peer = VerifiedPeer()
        let context = try contexts.context(identity)
        let tls = NIOSSLServerHandler(
            context: context,
            customVerificationCallbackWithMetadata: peer.callback { try await verifyClient($0) })
        let server = self.server
        let waiting = HandshakeHandler(timeout: configuration.handshakeTimeout) { result in
            self.handshakes.withLock { $0 -= 1 }
            guard case .success = result else { return channel.close(promise: nil) }
            let who: PeerIdentity
            if let found = peer.found, let id = found.id {
                who = .mutualTLS(leaf: found.leaf, id: id, address: address)
            } else {
                who = .tlsAnonymous(address: address)
            }
            server.serve(on: channel, peer: who).whenFailure { _ in channel.close(promise: nil) }
        }
        try channel.pipeline.syncOperations.addHandlers([tls, CompactReads(), waiting])
    }

    /// `ip:port`, IPv6 in brackets, as Go prints addresses.
    private static func text(_ address: SocketAddress?) -> String {
        guard let address, let ip = address.ipAddress else { return "" }
        let port = address.port ?? 0
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }
}
