// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import RPC
package import X509

/// Clients for the ways there are to reach a server.
package enum Channels {
    /// A client of the server that listens on the Unix socket `path`.
    package static func unix(
        path: String, group: any EventLoopGroup, configuration: RPCClientConfiguration = RPCClientConfiguration()
    ) -> RPCClient {
        RPCClient(group: group, configuration: configuration) { loop in
            loop.makeFailedFuture(RPCStatus(.unimplemented, "the Unix channel is not there yet"))
        }
    }

    /// A client of a server over TLS.
    ///
    /// - Parameters:
    ///   - identity: Asked for each connection; `nil` connects without a client certificate.
    ///   - verifyServer: Judges the server's chain, leaf first; throwing ends the connection.
    package static func tls(
        host: String, port: Int, group: any EventLoopGroup,
        configuration: RPCClientConfiguration = RPCClientConfiguration(),
        identity: @escaping @Sendable () -> TLSIdentity?,
        verifyServer: @escaping @Sendable ([Certificate]) async throws -> Void
    ) -> RPCClient {
        RPCClient(group: group, configuration: configuration) { loop in
            loop.makeFailedFuture(RPCStatus(.unimplemented, "the TLS channel is not there yet"))
        }
    }
}
