// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP2
import Synchronization

/// A client's one connection: made when a call needs it, shared by all calls, replaced after it ended.
final class ClientLink: Sendable {
    private struct State {
        var isClosed = false
        var ready: ClientConnection?
        /// Counts attempts, so that the result of an abandoned one is recognised.
        var attempt: UInt64 = 0
        var isConnecting = false
        var nextTicket: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<ClientConnection, any Error>] = [:]
    }

    private let group: any EventLoopGroup
    private let configuration: RPCClientConfiguration
    private let connect: @Sendable (any EventLoop) -> EventLoopFuture<any Channel>
    private let state = Mutex(State())

    init(
        group: any EventLoopGroup, configuration: RPCClientConfiguration,
        connect: @escaping @Sendable (any EventLoop) -> EventLoopFuture<any Channel>
    ) {
        self.group = group
        self.configuration = configuration
        self.connect = connect
    }

    static let closing = RPCStatus(.cancelled, "grpc: the client connection is closing")

    /// A connection that takes calls, made now if there is none.
    func connected(until deadline: NIODeadline?) async throws -> ClientConnection {
        if let ready = state.withLock({ $0.ready }), ready.isUsable { return ready }
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        let timer = deadline.map { deadline in
            group.any().scheduleTask(deadline: deadline) {
                self.giveUp(ticket, RPCStatus(.deadlineExceeded, "context deadline exceeded"))
            }
        }
        defer { timer?.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                wait(ticket, continuation, isLate: Task.isCancelled)
            }
        } onCancel: {
            giveUp(ticket, RPCStatus(.cancelled, "context canceled"))
        }
    }

    private func wait(
        _ ticket: UInt64, _ continuation: CheckedContinuation<ClientConnection, any Error>, isLate: Bool
    ) {
        enum Next { case use(ClientConnection), fail(RPCStatus), start(UInt64), wait }
        let next: Next = state.withLock { state in
            if state.isClosed { return .fail(Self.closing) }
            if isLate { return .fail(RPCStatus(.cancelled, "context canceled")) }
            if let ready = state.ready, ready.isUsable { return .use(ready) }
            state.waiting[ticket] = continuation
            if state.isConnecting { return .wait }
            state.isConnecting = true
            state.attempt += 1
            return .start(state.attempt)
        }
        switch next {
        case .use(let connection): continuation.resume(returning: connection)
        case .fail(let status): continuation.resume(throwing: status)
        case .start(let attempt): start(attempt)
        case .wait: break
        }
    }

    private func giveUp(_ ticket: UInt64, _ status: RPCStatus) {
        state.withLock { $0.waiting.removeValue(forKey: ticket) }?.resume(throwing: status)
    }

    private func start(_ attempt: UInt64) {
        let loop = group.next()
        let timer = loop.scheduleTask(in: configuration.connectTimeout) {
            self.settle(
                attempt, .failure(ConnectFailure(.dialing, "dial: i/o timeout")))
        }
        // The handlers must be in place before the loop's next turn reads the server's first bytes.
        loop.flatSubmit { self.connect(loop).flatMapThrowing { try self.setUp($0) } }
            .whenComplete { result in
                timer.cancel()
                self.settle(attempt, result)
            }
    }

    private func setUp(_ channel: any Channel) throws -> ClientConnection {
        let watch = FrameWatch()
        let connection = ClientConnection(
            channel: channel, configuration: configuration, watch: watch, ended: { self.ended($0) })
        var limits = HTTP2Limits.connection(
            .client, maximumStreams: 0, maximumHeaderListSize: configuration.maximumHeaderListSize)
        limits.initialSettings.append(HTTP2Setting(parameter: .enablePush, value: 0))
        limits.initialSettings.append(
            HTTP2Setting(parameter: .initialWindowSize, value: ClientConnection.streamWindow))
        let http2 = NIOHTTP2Handler(
            mode: .client, frameDelegate: watch, connectionConfiguration: limits,
            streamConfiguration: HTTP2Limits.stream(.client))
        do {
            try channel.pipeline.syncOperations.addHandlers([http2, connection])
        } catch {
            channel.close(promise: nil)
            throw error
        }
        return connection
    }

    private func settle(_ attempt: UInt64, _ result: Result<ClientConnection, any Error>) {
        let (waiting, isStale) = state.withLock { state -> ([CheckedContinuation<ClientConnection, any Error>], Bool) in
            guard state.attempt == attempt, state.isConnecting, !state.isClosed else { return ([], true) }
            state.isConnecting = false
            if case .success(let connection) = result, connection.isUsable { state.ready = connection }
            defer { state.waiting = [:] }
            return (Array(state.waiting.values), false)
        }
        switch result {
        case .success(let connection):
            if isStale { connection.loop.execute { connection.close(Self.closing) } }
            for continuation in waiting { continuation.resume(returning: connection) }
        case .failure(let error):
            let status = RPCStatus(connecting: error)
            for continuation in waiting { continuation.resume(throwing: status) }
        }
    }

    private func ended(_ connection: ClientConnection) {
        state.withLock { state in
            if state.ready === connection { state.ready = nil }
        }
    }

    /// Takes no more calls; the connection ends with the last of those that are open.
    func retire() {
        guard let connection = stop() else { return }
        connection.loop.execute { connection.leave() }
    }

    func close() async {
        guard let connection = stop() else { return }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            connection.loop.execute {
                connection.close(Self.closing)
                continuation.resume()
            }
        }
    }

    /// Refuses calls from now on. - Returns: the connection, if there is one.
    private func stop() -> ClientConnection? {
        let (connection, waiting) = state.withLock { state in
            state.isClosed = true
            state.isConnecting = false
            defer {
                state.ready = nil
                state.waiting = [:]
            }
            return (state.ready, Array(state.waiting.values))
        }
        for continuation in waiting { continuation.resume(throwing: Self.closing) }
        return connection
    }
}
