// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import RPC

/// gRPC on a Unix socket, where handlers know the calling process.
package final class UnixListener: Sendable {
    /// Where it listens.
    package let path: String
    package let address: SocketAddress

    private init(path: String, address: SocketAddress) {
        self.path = path
        self.address = address
    }

    /// Listens on `path` and serves every connection with `server`.
    ///
    /// A missing parent directory is made with mode 0755. A left-over socket nobody listens on is replaced.
    /// - Parameter mode: Permission bits of the socket, exact (the process umask does not apply).
    /// - Throws: `io` naming the path and the reason.
    package static func bind(
        path: String, mode: UInt32, group: any EventLoopGroup, server: RPCServer
    ) async throws -> UnixListener {
        throw RPCStatus(.unimplemented, "the Unix listener is not there yet")
    }

    /// Stops accepting and removes the socket. Connections go on; `RPCServer.drain` ends those.
    package func close() async {}
}
