// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import NIOPosix
package import RPC

/// gRPC on a Unix socket, where handlers know the calling process.
package final class UnixListener: Sendable {
    /// Where it listens.
    package let path: String
    package let address: SocketAddress
    private let channel: any Channel
    private let file: SocketFile

    private init(channel: any Channel, file: SocketFile) throws {
        self.channel = channel
        self.file = file
        path = file.path
        address = try SocketAddress(unixDomainSocketPath: file.path)
    }

    /// Listens on `path` and serves every connection with `server`.
    ///
    /// A missing parent directory is made with mode 0755. A left-over socket nobody listens on is replaced.
    /// - Parameter mode: Permission bits of the socket, exact (the process umask does not apply).
    /// - Throws: `io` or `wire.address_in_use`, naming the path and the reason.
    package static func bind(
        path: String, mode: UInt32, group: any EventLoopGroup, server: RPCServer
    ) async throws -> UnixListener {
        let file = try SocketFile(binding: path, mode: mode)
        let bootstrap = ConnectionOptions.apply(ServerBootstrap(group: group))
            .childChannelInitializer { channel in
                do {
                    let process = try ConnectedProcess.onTheOtherEnd(of: channel)
                    try channel.pipeline.syncOperations.addHandler(CompactReads())
                    return server.serve(on: channel, peer: PeerIdentity.unix(process))
                } catch {
                    // Who cannot be identified is not served; failing here closes the connection.
                    return channel.eventLoop.makeFailedFuture(error)
                }
            }
        do {
            let channel = try await bootstrap.withBoundSocket(file.descriptor).get()
            file.widenQueue()
            return try UnixListener(channel: channel, file: file)
        } catch {
            file.remove()
            throw error
        }
    }

    /// Stops accepting and removes the socket. Connections go on; `RPCServer.drain` ends those.
    package func close() async {
        file.remove()
        try? await channel.close().get()
    }
}
