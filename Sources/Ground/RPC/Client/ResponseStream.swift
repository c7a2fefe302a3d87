// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import SwiftProtobuf

/// The client's side of an incoming message stream, before decoding.
package protocol RawResponseReader: Sendable {
    /// The next message; `nil` once the call ended with OK.
    /// - Throws: `RPCStatus` when the call ended otherwise.
    func read() async throws -> ByteBuffer?
}

/// The client's side of an outgoing message stream, before encoding.
package protocol RawRequestWriter: Sendable {
    /// Sends one message; waits while the server's flow-control window is full.
    /// - Throws: `RPCStatus` when the call is over.
    func write(_ message: ByteBuffer) async throws
    /// Half-closes.
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
        return try decodeResponse(bytes)
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
