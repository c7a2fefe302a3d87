// SPDX-License-Identifier: Apache-2.0

import NIOCore
package import RPC
import SwiftProtobuf

/// A gRPC service: a set of methods to put on a server's table.
package protocol APIService: Sendable {
    func add(to table: inout ServiceTable)
}

extension ServiceTable {
    /// Adds a method whose failures are reported once, here, and sent with SPIRE's texts.
    mutating func serve<Request: Message, Response: Message>(
        _ method: UnaryMethod<Request, Response>,
        _ body: @escaping @Sendable (Request, Call) async throws -> Response
    ) {
        unary(method) { request, context in
            let call = try Call.of(context)
            do {
                return try await body(request, call)
            } catch {
                throw call.report(error)
            }
        }
    }

    /// The same for a method that encodes its response itself.
    mutating func serveEncoded<Request: Message, Response: Message>(
        _ method: UnaryMethod<Request, Response>,
        _ body: @escaping @Sendable (Request, Call) async throws -> ByteBuffer
    ) {
        unaryEncoded(method) { request, context in
            let call = try Call.of(context)
            do {
                return try await body(request, call)
            } catch {
                throw call.report(error)
            }
        }
    }

    /// The same for a method that neither waits nor computes for long: it runs on the connection's event loop.
    mutating func serveNow<Request: Message, Response: Message>(
        _ method: UnaryMethod<Request, Response>,
        _ body: @escaping @Sendable (Request, Call) throws -> Response
    ) {
        immediate(method) { request, context in
            let call = try Call.of(context)
            do {
                return try body(request, call)
            } catch {
                throw call.report(error)
            }
        }
    }

    /// The same for one request and a stream of answers.
    mutating func serve<Request: Message, Response: Message>(
        _ method: ServerStreamingMethod<Request, Response>,
        _ body: @escaping @Sendable (Request, ResponseWriter<Response>, Call) async throws -> Void
    ) {
        serverStreaming(method) { request, responses, context in
            let call = try Call.of(context)
            do {
                try await body(request, responses, call)
            } catch {
                throw call.report(error)
            }
        }
    }

    /// The same for streams both ways.
    mutating func serve<Request: Message, Response: Message>(
        _ method: BidirectionalMethod<Request, Response>,
        _ body: @escaping @Sendable (RequestStream<Request>, ResponseWriter<Response>, Call) async throws -> Void
    ) {
        bidirectional(method) { requests, responses, context in
            let call = try Call.of(context)
            do {
                try await body(requests, responses, call)
            } catch {
                throw call.report(error)
            }
        }
    }
}
