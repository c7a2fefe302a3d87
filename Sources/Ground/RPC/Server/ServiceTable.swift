// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import SwiftProtobuf

/// What a server offers: a handler for each method. Services add theirs, then the table is handed to the server.
package struct ServiceTable: Sendable {
    /// A handler after its message types have been wrapped away.
    enum Handler: Sendable {
        case immediate(@Sendable (ByteBuffer, RPCContext) throws -> ByteBuffer)
        case unary(@Sendable (ByteBuffer, RPCContext) async throws -> ByteBuffer)
        /// One request in, a stream out.
        case serverStream(@Sendable (ByteBuffer, any RawResponseWriter, RPCContext) async throws -> Void)
        /// Streams both ways.
        case stream(@Sendable (any RawRequestReader, any RawResponseWriter, RPCContext) async throws -> Void)
    }

    private(set) var handlers: [String: (path: MethodPath, handler: Handler)] = [:]
    private(set) var services: Set<String> = []

    package init() {}

    /// Every method offered.
    package var methods: [MethodPath] { handlers.values.map(\.path) }

    /// Adds a handler that may wait.
    package mutating func unary<Request, Response>(
        _ method: UnaryMethod<Request, Response>,
        _ body: @escaping @Sendable (Request, RPCContext) async throws -> Response
    ) {
        add(method.path, .unary { try await encodeMessage(body(decodeMessage($0), $1)) })
    }

    /// Adds a handler that may wait and encodes its response itself (see `HandwrittenMessage`).
    package mutating func unaryEncoded<Request, Response>(
        _ method: UnaryMethod<Request, Response>,
        _ body: @escaping @Sendable (Request, RPCContext) async throws -> ByteBuffer
    ) {
        add(method.path, .unary { try await body(decodeMessage($0), $1) })
    }

    /// Adds a handler that runs on the connection's event loop: it must neither block nor compute for long.
    package mutating func immediate<Request, Response>(
        _ method: UnaryMethod<Request, Response>,
        _ body: @escaping @Sendable (Request, RPCContext) throws -> Response
    ) {
        add(method.path, .immediate { try encodeMessage(body(decodeMessage($0), $1)) })
    }

    package mutating func serverStreaming<Request, Response>(
        _ method: ServerStreamingMethod<Request, Response>,
        _ body: @escaping @Sendable (Request, ResponseWriter<Response>, RPCContext) async throws -> Void
    ) {
        add(method.path, .serverStream { try await body(decodeMessage($0), ResponseWriter(raw: $1), $2) })
    }

    package mutating func clientStreaming<Request, Response>(
        _ method: ClientStreamingMethod<Request, Response>,
        _ body: @escaping @Sendable (RequestStream<Request>, RPCContext) async throws -> Response
    ) {
        add(method.path, .stream { try await $1.write(encodeMessage(body(RequestStream(raw: $0), $2))) })
    }

    package mutating func bidirectional<Request, Response>(
        _ method: BidirectionalMethod<Request, Response>,
        _ body: @escaping @Sendable (RequestStream<Request>, ResponseWriter<Response>, RPCContext) async throws -> Void
    ) {
        add(method.path, .stream { try await body(RequestStream(raw: $0), ResponseWriter(raw: $1), $2) })
    }

    private mutating func add(_ path: MethodPath, _ handler: Handler) {
        handlers[path.description] = (path, handler)
        services.insert(path.service)
    }
}

/// The server's side of an incoming message stream, before decoding.
package protocol RawRequestReader: Sendable {
    /// The next message; `nil` once the caller has half-closed.
    /// - Throws: `RPCStatus` when the call was cancelled or broke.
    func read() async throws -> ByteBuffer?
}

/// The server's side of an outgoing message stream, before encoding.
package protocol RawResponseWriter: Sendable {
    /// Sends one message; waits while the caller's flow-control window is full.
    /// - Throws: `RPCStatus` when the call was cancelled or broke.
    func write(_ message: ByteBuffer) async throws
}

/// The messages a caller sends. One reader at a time.
package struct RequestStream<Request: Message>: AsyncSequence, Sendable {
    package typealias Element = Request
    let raw: any RawRequestReader

    package init(raw: any RawRequestReader) { self.raw = raw }

    /// The next message; `nil` once the caller has half-closed.
    package func next() async throws -> Request? {
        guard let bytes = try await raw.read() else { return nil }
        return try decodeMessage(bytes)
    }

    package func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    package struct Iterator: AsyncIteratorProtocol {
        let stream: RequestStream<Request>
        package mutating func next() async throws -> Request? { try await stream.next() }
    }
}

/// Where a handler puts its responses.
package struct ResponseWriter<Response: Message>: Sendable {
    let raw: any RawResponseWriter

    package init(raw: any RawResponseWriter) { self.raw = raw }

    /// Sends one message; waits while the caller's flow-control window is full.
    package func send(_ response: Response) async throws { try await raw.write(encodeMessage(response)) }

    /// Sends a message that is encoded already (by `encodeMessage`), so that one encoding serves many callers.
    package func sendEncoded(_ bytes: ByteBuffer) async throws { try await raw.write(bytes) }
}
