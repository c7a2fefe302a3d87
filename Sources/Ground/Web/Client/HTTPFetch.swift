// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import NIOCore
import NIOHTTP1
import NIOPosix

/// One bounded HTTP exchange.
package struct HTTPFetch: Sendable {
    package struct Answer: Sendable {
        package let status: Int
        package let reason: String
        package let location: String?
        package var body: [UInt8]
    }

    /// Adds what goes below HTTP, such as TLS, to the end of a new connection's empty pipeline.
    package typealias Underlay = @Sendable (WebAddress, ChannelPipeline.SynchronousOperations) throws -> Void

    /// The `User-Agent` field.
    package var userAgent: String
    /// Most bytes of a body; a longer one is an error.
    package var maximumBody = 8 << 20
    /// For each request, from connecting to the last byte.
    package var timeout: TimeAmount = .seconds(30)
    package var maximumRedirects = 10
    /// A Unix socket to send every request over.
    package var unixSocket: String?
    private let group: any EventLoopGroup
    private let underlay: Underlay

    /// - Parameter underlay: Must add TLS for `https`: an address of that scheme is never sent in the clear.
    package init(userAgent: String, group: any EventLoopGroup, underlay: @escaping Underlay) {
        self.userAgent = userAgent
        self.group = group
        self.underlay = underlay
    }

    /// Fetches `address` and follows redirects, but never from `https` to anything else.
    /// - Throws: `web.malformed_url`, `web.exchange_failed`, what the TLS handshake reports.
    package func get(_ address: WebAddress) async throws -> Answer {
        var place = address
        for _ in 0...maximumRedirects {
            let answer = try await once(place, .get, on: group.any())
            guard [301, 302, 303, 307, 308].contains(answer.status), let location = answer.location else {
                return answer
            }
            let next = try place.following(location)
            guard place.scheme == "http" || next.scheme == "https" else {
                throw SpireError(.webExchange, "\(address): redirects away from https")
            }
            place = next
        }
        throw SpireError(.webExchange, "\(address): stopped after \(maximumRedirects) redirects")
    }

    /// Sends `body` to `address`. Redirects are not followed.
    ///
    /// - Parameter type: Of the body.
    /// - Throws: `web.exchange_failed`, what the TLS handshake reports.
    package func post(
        _ address: WebAddress, _ body: [UInt8], type: String, headers: [(name: String, value: String)] = []
    ) async throws -> Answer {
        let fields = headers + [("Content-Type", type), ("Content-Length", "\(body.count)")]
        return try await once(address, Request(method: .POST, fields: fields, body: body), on: group.any())
    }

    private struct Request: Sendable {
        var method: HTTPMethod
        var fields: [(name: String, value: String)] = []
        var body: [UInt8] = []

        static var get: Request { Request(method: .GET) }
    }

    private func once(_ place: WebAddress, _ request: Request, on loop: any EventLoop) async throws -> Answer {
        let promise = loop.makePromise(of: Answer.self)
        let fetch = self
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(timeout).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                try fetch.underlay(place, pipeline)
                try pipeline.addHTTPClientHandlers()
                try pipeline.addHandler(Collector(fetch, place, request, promise))
            }
        }
        let deadline = loop.scheduleTask(in: timeout) {
            promise.fail(SpireError(.webExchange, "no complete answer within \(fetch.timeout.nanoseconds / 1_000_000_000)s"))
        }
        let connected: EventLoopFuture<any Channel>
        if let unixSocket {
            connected = bootstrap.connect(unixDomainSocketPath: unixSocket)
        } else {
            connected = bootstrap.connect(host: place.host.isEmpty ? "localhost" : place.host, port: place.port)
        }
        connected.whenFailure { promise.fail($0) }
        promise.futureResult.whenComplete { _ in
            deadline.cancel()
            connected.whenSuccess { $0.close(promise: nil) }
        }
        return try await promise.futureResult.get()
    }

    /// Sends the request and collects the answer. Lives on its channel's event loop.
    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = HTTPClientResponsePart
        typealias OutboundOut = HTTPClientRequestPart

        private let fetch: HTTPFetch
        private let place: WebAddress
        private let request: Request
        private let promise: EventLoopPromise<Answer>
        private var answer: Answer?

        init(_ fetch: HTTPFetch, _ place: WebAddress, _ request: Request, _ promise: EventLoopPromise<Answer>) {
            self.fetch = fetch
            self.place = place
            self.request = request
            self.promise = promise
        }

        func channelActive(context: ChannelHandlerContext) {
            var headers: HTTPHeaders = [
                "Host": place.authority, "User-Agent": fetch.userAgent, "Accept-Encoding": "identity",
                "Connection": "close",
            ]
            for (name, value) in request.fields { headers.add(name: name, value: value) }
            let head = HTTPRequestHead(version: .http1_1, method: request.method, uri: place.target, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            if !request.body.isEmpty {
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: request.body)))), promise: nil)
            }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            context.fireChannelActive()
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                answer = Answer(
                    status: Int(head.status.code), reason: head.status.reasonPhrase,
                    location: head.headers["location"].first, body: [])
            case .body(let bytes):
                let total = (answer?.body.count ?? 0) + bytes.readableBytes
                guard total <= fetch.maximumBody else {
                    return promise.fail(
                        SpireError(.webExchange, "the answer is larger than \(fetch.maximumBody) bytes"))
                }
                answer?.body.append(contentsOf: bytes.readableBytesView)
            case .end:
                if let answer { promise.succeed(answer) }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            promise.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            promise.fail(SpireError(.webExchange, "the connection ended before the answer was complete"))
            context.fireChannelInactive()
        }
    }
}
