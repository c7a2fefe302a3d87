// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Serves a table of methods on channels that a listener hands to it.
package final class RPCServer: Sendable {
    let services: ServiceTable
    let interceptors: [any ServerInterceptor]
    let configuration: RPCServerConfiguration
    let errorMapper: @Sendable (any Error) -> RPCStatus

    /// - Parameters:
    ///   - interceptors: Asked in this order before each call.
    ///   - errorMapper: Turns what handlers throw, other than `RPCStatus` and cancellation, into what the caller sees.
    package init(
        services: ServiceTable, interceptors: [any ServerInterceptor] = [],
        configuration: RPCServerConfiguration = RPCServerConfiguration(),
        errorMapper: @escaping @Sendable (any Error) -> RPCStatus = { RPCStatus(.unknown, "\($0)") }
    ) {
        self.services = services
        self.interceptors = interceptors
        self.configuration = configuration
        self.errorMapper = errorMapper
    }

    /// Serves one connected channel. From then on the channel belongs to the server.
    ///
    /// - Parameter peer: What handlers find in `RPCContext.peer`.
    /// - Returns: Completed once the channel is set up, not when it ends; fails when the server is draining.
    package func serve(on channel: any Channel, peer: any Sendable) -> EventLoopFuture<Void> {
        channel.eventLoop.makeFailedFuture(RPCStatus(.unimplemented, "the connection engine is not there yet"))
    }

    /// Refuses new connections and new calls, lets open calls finish, and closes what is left after `grace`.
    package func drain(within grace: Duration) async {}
}
