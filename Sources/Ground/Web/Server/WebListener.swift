// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Wire

/// A small HTTP/1.1 server: one handler, plain or over TLS, within strict limits.
package final class WebListener: Sendable {
    /// Where it listens; the port is the one the system chose when 0 was asked for.
    package let address: SocketAddress
    private let channel: any Channel
    private let connections: Connections

    private init(channel: any Channel, address: SocketAddress, connections: Connections) {
        self.channel = channel
        self.address = address
        self.connections = connections
    }

    /// Listens on `host`:`port` and answers every request with `handler`, until closed.
    ///
    /// - Parameter tls: `nil` for plain HTTP.
    /// - Throws: `io` when the address cannot be bound.
    package static func bind(
        host: String, port: Int, group: any EventLoopGroup, tls: WebTLS? = nil, limits: WebLimits = WebLimits(),
        time: any TimeSource, handler: @escaping WebHandler
    ) async throws -> WebListener {
        let connections = Connections(limit: limits.maximumConnections)
        let channel: any Channel
        do {
            channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.backlog, value: 128)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try connections.admit(channel)
                        try setUp(channel, tls, limits, time, handler)
                    }
                }
                .bind(host: host, port: port).get()
        } catch {
            throw SpireError(.io, "cannot listen on \(host):\(port): \(DialError.reason(error))")
        }
        guard let address = channel.localAddress else {
            try? await channel.close().get()
            throw SpireError(.io, "cannot listen on \(host):\(port): the system names no address")
        }
        return WebListener(channel: channel, address: address, connections: connections)
    }

    private static func setUp(
        _ channel: any Channel, _ tls: WebTLS?, _ limits: WebLimits, _ time: any TimeSource,
        _ handler: @escaping WebHandler
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        if let tls { try tls.addHandlers(to: pipeline) }
        let budget = RequestBudget(limit: limits.maximumHeadBytes + limits.maximumBodyBytes)
        try pipeline.addHandler(budget)
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: true)
        try pipeline.addHandler(RequestClock(limits, budget: budget))
        let peer = channel.remoteAddress.map(text) ?? ""
        try pipeline.addHandler(Answerer(limits, peer: peer, time: time, handler: handler))
    }

    /// Stops listening and ends open connections.
    package func close() async {
        try? await channel.close().get()
        connections.closeAll()
    }

    /// `ip:port`, IPv6 in brackets.
    package var addressText: String { Self.text(address) }

    private static func text(_ address: SocketAddress) -> String {
        guard let ip = address.ipAddress, let port = address.port else { return "" }
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }
}

/// The open connections, of which there are never too many.
private final class Connections: Sendable {
    private struct State {
        var open: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
    }
    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// - Throws: when there are too many already; the connection is closed then.
    func admit(_ channel: any Channel) throws {
        let key = ObjectIdentifier(channel)
        let isAdmitted = state.withLock { state in
            guard !state.isClosed, state.open.count < limit else { return false }
            state.open[key] = channel
            return true
        }
        guard isAdmitted else { throw ChannelError.eof }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.open[key] = nil } }
    }

    func closeAll() {
        let open = state.withLock { state in
            state.isClosed = true
            return Array(state.open.values)
        }
        for channel in open { channel.close(promise: nil) }
    }
}

/// Collects a request, has it answered, and sends the answer. One request at a time: the pipeline holds back the next.
///
/// Confined to its channel's event loop, like every handler.
private final class Answerer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let limits: WebLimits
    private let peer: String
    private let time: any TimeSource
    private let handler: WebHandler
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ limits: WebLimits, peer: String, time: any TimeSource, handler: @escaping WebHandler) {
        self.limits = limits
        self.peer = peer
        self.time = time
        self.handler = handler
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let new):
            head = new
            body = []
        case .body(let bytes):
            guard let request = head else { return }
            guard body.count + bytes.readableBytes <= limits.maximumBodyBytes else {
                head = nil
                let answer = WebResponse.text(413, "the request body is too large")
                return send(answer, to: request, keepAlive: false, context)
            }
            body.append(contentsOf: bytes.readableBytesView)
        case .end:
            guard let request = head else { return }
            head = nil
            answer(request, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let whole = WebRequest(
            method: request.method.rawValue, target: request.uri,
            headers: request.headers.map { ($0.name, $0.value) }, body: body, peer: peer)
        body = []
        let handler = handler
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.makeFutureWithTask { await handler(whole) }.whenSuccess { answer in
            let (answerer, context) = bound.value
            answerer.send(answer, to: request, keepAlive: request.isKeepAlive, context)
        }
    }

    private func send(
        _ answer: WebResponse, to request: HTTPRequestHead, keepAlive: Bool, _ context: ChannelHandlerContext
    ) {
        guard context.channel.isActive else { return }
        var headers = HTTPHeaders(answer.headers.map { ($0.name, $0.value) })
        headers.add(name: "Date", value: HTTPDate.text(time.now))
        headers.replaceOrAdd(name: "Content-Length", value: "\(answer.body.count)")
        if !keepAlive { headers.replaceOrAdd(name: "Connection", value: "close") }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD, !answer.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
        }
        let done = context.eventLoop.makePromise(of: Void.self)
        if !keepAlive {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            done.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: done)
    }
}
