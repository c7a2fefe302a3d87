// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import NIOHTTP2
import Synchronization

/// Serves a table of methods on channels that a listener hands to it.
package final class RPCServer: Sendable {
    private struct State {
        var isDraining = false
        var connections: [ObjectIdentifier: ServerConnection] = [:]
        var executors: [ObjectIdentifier: LoopExecutor] = [:]
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    let services: ServiceTable
    let interceptors: [any ServerInterceptor]
    let configuration: RPCServerConfiguration
    let errorMapper: @Sendable (any Error) -> RPCStatus
    private let state = Mutex(State())

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
        let loop = channel.eventLoop
        guard loop.inEventLoop else { return loop.flatSubmit { self.serve(on: channel, peer: peer) } }
        let watch = FrameWatch()
        let connection = ServerConnection(
            server: self, channel: channel, executor: executor(loop), peer: peer, watch: watch)
        let admitted = state.withLock { state in
            guard !state.isDraining else { return false }
            state.connections[ObjectIdentifier(connection)] = connection
            return true
        }
        guard admitted else {
            channel.close(promise: nil)
            return loop.makeFailedFuture(RPCStatus(.unavailable, "the server is shutting down"))
        }
        do {
            let http2 = NIOHTTP2Handler(
                mode: .server, frameDelegate: watch,
                connectionConfiguration: HTTP2Limits.connection(
                    .server, maximumStreams: configuration.maximumConcurrentStreams,
                    maximumHeaderListSize: configuration.maximumHeaderListSize),
                streamConfiguration: HTTP2Limits.stream(.server))
            try channel.pipeline.syncOperations.addHandlers([http2, connection])
            return loop.makeSucceededVoidFuture()
        } catch {
            forget(connection)
            channel.close(promise: nil)
            return loop.makeFailedFuture(error)
        }
    }

    /// Refuses new connections and new calls, lets open calls finish, and closes what is left after `grace`.
    package func drain(within grace: Duration) async {
        let open = state.withLock { state in
            state.isDraining = true
            return Array(state.connections.values)
        }
        let (seconds, attoseconds) = grace.components
        let span = TimeAmount.nanoseconds(
            max(0, min(seconds, 1 << 32)) * 1_000_000_000 + max(0, attoseconds / 1_000_000_000))
        for connection in open { connection.loop.execute { connection.drain(grace: span) } }
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if !state.connections.isEmpty { state.waiting.append(continuation) }
                return state.connections.isEmpty
            }
            if isDone { continuation.resume() }
        }
    }

    /// How many connections are open.
    package var connectionCount: Int { state.withLock { $0.connections.count } }

    func forget(_ connection: ServerConnection) {
        let done = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.connections.removeValue(forKey: ObjectIdentifier(connection))
            guard state.connections.isEmpty else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in done { continuation.resume() }
    }

    private func executor(_ loop: any EventLoop) -> LoopExecutor {
        state.withLock { state in
            if let known = state.executors[ObjectIdentifier(loop)] { return known }
            let made = LoopExecutor(loop)
            state.executors[ObjectIdentifier(loop)] = made
            return made
        }
    }
}
