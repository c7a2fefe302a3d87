// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import RPC
package import SPIFFE
package import X509

/// gRPC over TLS on a TCP port, with an optional client certificate.
package final class TLSListener: Sendable {
    /// Limits of connections that have not finished their handshake.
    package struct Configuration: Sendable {
        /// How long a handshake may take.
        package var handshakeTimeout: TimeAmount = .seconds(20)
        /// Most connections at once that have not finished it; further ones are closed on accept.
        package var maximumHandshakes = 1_000
        package init() {}
    }

    /// Where it listens; the port is the one the system chose when 0 was asked for.
    package let address: SocketAddress

    private init(address: SocketAddress) { self.address = address }

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
        throw RPCStatus(.unimplemented, "the TLS listener is not there yet")
    }

    /// Stops accepting. Connections go on; `RPCServer.drain` ends those.
    package func close() async {}
}
