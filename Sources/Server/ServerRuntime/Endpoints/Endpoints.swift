// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import NIOCore
import RPC
import SPIFFE
import ServiceLifecycle
import Wire
import X509

/// The server's two gRPC endpoints: TLS for agents and remote administrators, a Unix socket for local ones.
///
/// Ends by graceful shutdown: no new connections, open calls get ten seconds.
struct Endpoints: Service {
    /// Where and how to listen.
    struct Settings: Sendable {
        var host: String
        var port: Int
        var socketPath: String
        /// Whose PROXY headers tell where agents really are.
        var trustedProxies: [CIDRBlock] = []
        var policy = TLSContextMaker.Policy.standard
    }

    /// Where the server is reached once it listens.
    struct Addresses: Sendable, Hashable {
        var tcp: String
        var port: Int
        var socketPath: String
    }

    static let grace: Duration = .seconds(10)
    static let socketMode: UInt32 = 0o770

    let settings: Settings
    let group: any EventLoopGroup
    let tcpServer: RPCServer
    let localServer: RPCServer
    let identity: @Sendable () -> TLSIdentity?
    let clients: ClientVerifier
    /// Set once both endpoints accept connections, `nil` before and after.
    let listening: Watch<Addresses?>
    let logger: Logger

    func run() async throws {
        logger.debug("Initializing API endpoints")
        let clients = clients
        var limits = TLSListener.Configuration()
        limits.trustedProxies = settings.trustedProxies
        limits.policy = settings.policy
        let tcp = try await TLSListener.bind(
            host: settings.host, port: settings.port, group: group, server: tcpServer, configuration: limits,
            identity: identity, verifyClient: { try await clients.verify($0) })
        let local: UnixListener
        do {
            try SocketFolder.prepare(settings.socketPath)
            local = try await UnixListener.bind(
                path: settings.socketPath, mode: Self.socketMode, group: group, server: localServer)
        } catch {
            await tcp.close()
            throw error
        }
        let address = Self.text(tcp.address)
        let fields: [Logger.Metadata] = [
            [LogKey.address: "\(address)", LogKey.network: "tcp"],
            [LogKey.address: "\(settings.socketPath)", LogKey.network: "unix"],
        ]
        for metadata in fields { logger.info("Starting Server APIs", metadata: metadata) }
        listening.set(
            Addresses(tcp: address, port: tcp.address.port ?? settings.port, socketPath: settings.socketPath))

        try? await gracefulShutdown()

        listening.set(nil)
        for metadata in fields {
            logger.info("Stopping Server APIs", metadata: metadata)
            logger.info("Attempting graceful stop", metadata: metadata)
        }
        await tcp.close()
        await local.close()
        let servers = [tcpServer, localServer]
        await withTaskGroup(of: Void.self) { group in
            for server in servers { group.addTask { await server.drain(within: Self.grace) } }
        }
        for metadata in fields {
            logger.info("Graceful stop successful", metadata: metadata)
            logger.info("Server APIs have stopped", metadata: metadata)
        }
    }

    static func text(_ address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
