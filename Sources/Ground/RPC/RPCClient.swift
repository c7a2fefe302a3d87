// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import SwiftProtobuf

/// Calls methods of one server. Connects with the first call, and again with the next call after a connection ended.
///
/// Every failure is thrown as `RPCStatus`; cancelling the calling task cancels the call.
package final class RPCClient: Sendable {
    let group: any EventLoopGroup
    let configuration: RPCClientConfiguration
    let connect: @Sendable (any EventLoop) -> EventLoopFuture<any Channel>

    /// - Parameter connect: Makes a connected channel on the given loop, TLS handshake included.
    package init(
        group: any EventLoopGroup, configuration: RPCClientConfiguration = RPCClientConfiguration(),
        connect: @escaping @Sendable (any EventLoop) -> EventLoopFuture<any Channel>
    ) {
        self.group = group
        self.configuration = configuration
        self.connect = connect
    }

    /// One request, one response.
    package func unary<Request, Response>(
        _ method: UnaryMethod<Request, Response>, _ request: Request, options: CallOptions = CallOptions()
    ) async throws -> Response {
        throw Self.notYet
    }

    /// One request, a stream of responses for as long as `body` runs.
    package func serverStreaming<Request, Response, Result>(
        _ method: ServerStreamingMethod<Request, Response>, _ request: Request, options: CallOptions = CallOptions(),
        _ body: (ResponseStream<Response>) async throws -> Result
    ) async throws -> Result {
        throw Self.notYet
    }

    /// A stream of requests for as long as `body` runs, then one response.
    package func clientStreaming<Request, Response>(
        _ method: ClientStreamingMethod<Request, Response>, options: CallOptions = CallOptions(),
        _ body: (RequestWriter<Request>) async throws -> Void
    ) async throws -> Response {
        throw Self.notYet
    }

    /// Streams both ways for as long as `body` runs.
    package func bidirectional<Request, Response, Result>(
        _ method: BidirectionalMethod<Request, Response>, options: CallOptions = CallOptions(),
        _ body: (RequestWriter<Request>, ResponseStream<Response>) async throws -> Result
    ) async throws -> Result {
        throw Self.notYet
    }

    /// Ends the connection; open calls fail with `Canceled`, and so do later ones.
    package func close() async {}

    private static let notYet = RPCStatus(.unimplemented, "the connection engine is not there yet")
}

/// The client's side of an incoming message stream, before decoding.
package protocol RawResponseReader: Sendable {
    func read() async throws -> ByteBuffer?
}

/// The client's side of an outgoing message stream, before encoding.
package protocol RawRequestWriter: Sendable {
    func write(_ message: ByteBuffer) async throws
    func finish() async throws
}

/// The messages a server sends. One reader at a time.
package struct ResponseStream<Response: Message>: AsyncSequence, Sendable {
    package typealias Element = Response
    let raw: any RawResponseReader

    package init(raw: any RawResponseReader) { self.raw = raw }

    /// The next message; `nil` once the call ended with OK.
    /// - Throws: `RPCStatus` when the call ended otherwise.
    package func next() async throws -> Response? {
        guard let bytes = try await raw.read() else { return nil }
        return try decodeMessage(bytes)
    }

    package func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    package struct Iterator: AsyncIteratorProtocol {
        let stream: ResponseStream<Response>
        package mutating func next() async throws -> Response? { try await stream.next() }
    }
}

/// Where a caller puts its requests.
package struct RequestWriter<Request: Message>: Sendable {
    let raw: any RawRequestWriter

    package init(raw: any RawRequestWriter) { self.raw = raw }

    /// Sends one message; waits while the server's flow-control window is full.
    package func send(_ request: Request) async throws { try await raw.write(encodeMessage(request)) }

    /// Half-closes: no more requests follow.
    package func finish() async throws { try await raw.finish() }
}
