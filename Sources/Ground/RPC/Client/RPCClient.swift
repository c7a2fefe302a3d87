// SPDX-License-Identifier: Apache-2.0

package import NIOCore
import NIOHTTP2
import SwiftProtobuf

/// Calls methods of one server. Connects with the first call, and again with the next call after a connection ended.
///
/// Every failure is thrown as `RPCStatus`; cancelling the calling task cancels the call.
package final class RPCClient: Sendable {
    private let link: ClientLink
    private let observer: (any ClientCallObserver)?

    /// - Parameter connect: Makes a connected channel on the given loop, TLS handshake included. Its failures should be
    ///   `ConnectFailure`s.
    package init(
        group: any EventLoopGroup, configuration: RPCClientConfiguration = RPCClientConfiguration(),
        connect: @escaping @Sendable (any EventLoop) -> EventLoopFuture<any Channel>
    ) {
        observer = configuration.observer
        link = ClientLink(group: group, configuration: configuration, connect: connect)
    }

    /// One request, one response.
    package func unary<Request, Response>(
        _ method: UnaryMethod<Request, Response>, _ request: Request, options: CallOptions = CallOptions()
    ) async throws -> Response {
        let message = try encodeRequest(request)
        let deadline = options.deadline
        return try await observed(method.path, options) { options in
            var attempts = 1
            while true {
                do {
                    let call = try await start(method.path, options, deadline) { _ = try $0.send(message, last: true) }
                    return try decodeResponse(try await call.collect())
                } catch let refusal as ClientStream.Unprocessed {
                    // The server said that it did not look at the call, so trying again cannot do anything twice.
                    guard attempts < 3 else { throw refusal.status }
                    attempts += 1
                }
            }
        }
    }

    /// One request, a stream of responses for as long as `body` runs.
    package func serverStreaming<Request, Response, Result>(
        _ method: ServerStreamingMethod<Request, Response>, _ request: Request, options: CallOptions = CallOptions(),
        _ body: (ResponseStream<Response>) async throws -> Result
    ) async throws -> Result {
        let message = try encodeRequest(request)
        return try await observed(method.path, options) { options in
            let deadline = options.deadline
            let first = try await start(method.path, options, deadline) { _ = try $0.send(message, last: true) }
            let call = ReplayedCall(first, whole: message) { try await self.start(method.path, options, deadline) }
            defer { call.abandon() }
            return try await body(ResponseStream(raw: call))
        }
    }

    /// A stream of requests for as long as `body` runs, then one response.
    package func clientStreaming<Request, Response>(
        _ method: ClientStreamingMethod<Request, Response>, options: CallOptions = CallOptions(),
        _ body: (RequestWriter<Request>) async throws -> Void
    ) async throws -> Response {
        try await observed(method.path, options) { options in
            let call = try await stream(method.path, options)
            defer { call.abandon() }
            try await body(RequestWriter(raw: call))
            try await call.finish()
            return try decodeResponse(try await call.collect())
        }
    }

    /// Streams both ways for as long as `body` runs.
    package func bidirectional<Request, Response, Result>(
        _ method: BidirectionalMethod<Request, Response>, options: CallOptions = CallOptions(),
        _ body: (RequestWriter<Request>, ResponseStream<Response>) async throws -> Result
    ) async throws -> Result {
        try await observed(method.path, options) { options in
            let call = try await stream(method.path, options)
            defer { call.abandon() }
            return try await body(RequestWriter(raw: call), ResponseStream(raw: call))
        }
    }

    private func stream(_ path: MethodPath, _ options: CallOptions) async throws -> ReplayedCall {
        let deadline = options.deadline
        return ReplayedCall(try await start(path, options, deadline)) { try await self.start(path, options, deadline) }
    }

    /// Makes the connection that the next call goes over, if there is none that takes calls.
    package func connect(timeout: Duration) async throws {
        _ = try await link.connected(until: CallOptions(timeout: timeout).deadline)
    }

    /// Ends the connection; open calls fail with `Canceled`, and so do later ones.
    package func close() async { await link.close() }

    /// Ends the connection as well, but only after the last of its open calls; later calls fail with `Canceled`.
    package func retire() { link.retire() }

    private func observed<Result>(
        _ path: MethodPath, _ options: CallOptions, _ body: (CallOptions) async throws -> Result
    ) async throws -> Result {
        guard let observer else { return try await body(options) }
        var options = options
        guard let ended = observer.begin(path, &options.metadata) else { return try await body(options) }
        do {
            let result = try await body(options)
            ended(nil)
            return result
        } catch {
            ended(error as? RPCStatus ?? RPCStatus(.unknown, "\(error)"))
            throw error
        }
    }

    private func start(
        _ path: MethodPath, _ options: CallOptions, _ deadline: NIODeadline?,
        _ first: @escaping @Sendable (ClientStream) throws -> Void = { _ in }
    ) async throws -> ClientStreamIO {
        for _ in 0..<5 {
            let connection = try await link.connected(until: deadline)
            let (metadata, keepalive, leaving) = (options.metadata, options.keepalive, options.leaving)
            let stream: ClientStream? = try await withCheckedThrowingContinuation { continuation in
                let open: @Sendable () -> Void = {
                    continuation.resume(
                        with: Result {
                            let stream = connection.open(
                                path, metadata: metadata, deadline: deadline, keepalive: keepalive, leaving: leaving)
                            if let stream { try first(stream) }
                            return stream
                        })
                }
                if connection.loop.inEventLoop { open() } else { connection.loop.execute(open) }
            }
            if let stream {
                let call = ClientStreamIO(stream: stream)
                if Task.isCancelled {
                    call.abandon()
                    throw RPCStatus(.cancelled, "context canceled")
                }
                return call
            }
        }
        throw RPCStatus(.unavailable, "every connection ended before the call could start")
    }
}

private func encodeRequest<M: Message>(_ message: M) throws -> ByteBuffer {
    do {
        return try encodeMessage(message)
    } catch {
        throw RPCStatus(.internal, "grpc: error while marshaling: \(error)")
    }
}

func decodeResponse<M: Message>(_ bytes: ByteBuffer) throws -> M {
    do {
        return try M(serializedBytes: MessageBytes(bytes))
    } catch {
        throw RPCStatus(.internal, "grpc: failed to unmarshal the received message: \(messageProblem(error))")
    }
}

extension CallOptions {
    /// The moment `timeout` from now runs out.
    var deadline: NIODeadline? {
        guard let timeout else { return nil }
        let (seconds, attoseconds) = timeout.components
        let whole = max(0, min(seconds, 100 * 365 * 86_400)) * 1_000_000_000
        return .now() + .nanoseconds(whole + max(0, attoseconds / 1_000_000_000))
    }
}
