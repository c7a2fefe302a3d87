// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Asks an HTTP proxy for a tunnel, and gives its place in the pipeline to the handlers of what goes through. Lives on
/// its channel's event loop.
/// > Spec: RFC 9110 §9.3.6.
final class ProxyTunnel: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Most bytes of the proxy's answer.
    private static let maximumHead = 16 << 10

    private let place: HTTPGet.Place
    private let proxy: ProxySettings.Proxy
    private let promise: EventLoopPromise<HTTPGet.Answer>
    private let exchange: (ChannelPipeline.SynchronousOperations) throws -> Void
    private var head: [UInt8] = []
    private var isOpen = false

    /// - Parameters:
    ///   - promise: Failed when there is no tunnel.
    ///   - exchange: Adds the handlers of what goes through.
    init(
        to place: HTTPGet.Place, through proxy: ProxySettings.Proxy, _ promise: EventLoopPromise<HTTPGet.Answer>,
        then exchange: @escaping (ChannelPipeline.SynchronousOperations) throws -> Void
    ) {
        self.place = place
        self.proxy = proxy
        self.promise = promise
        self.exchange = exchange
    }

    func channelActive(context: ChannelHandlerContext) {
        let host = place.host.contains(":") ? "[\(place.host)]" : place.host
        var request = "CONNECT \(host):\(place.port) HTTP/1.1\r\nHost: \(host):\(place.port)\r\nUser-Agent: spire-agent\r\n"
        if let authorization = proxy.authorization { request += "Proxy-Authorization: \(authorization)\r\n" }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request + "\r\n")), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOpen else { return context.fireChannelRead(data) }
        head.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        guard head.count <= Self.maximumHead else { return fail(context, "the proxy's answer is too long") }
        guard let end = head.firstRange(of: Array("\r\n\r\n".utf8)) else { return }
        let line = head.prefix { $0 != UInt8(ascii: "\r") }
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8), words[1].elementsEqual("200".utf8) else {
            let shown = String(decoding: line.prefix(100).filter { (0x20..<0x7f).contains($0) }, as: UTF8.self)
            return fail(context, "the proxy refused: \(shown)")
        }
        // Before the tunnel stands the other end has nothing to say through it.
        guard end.upperBound == head.endIndex else { return fail(context, "the proxy said more than was asked") }
        isOpen = true
        do {
            try exchange(context.pipeline.syncOperations)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            promise.fail(error)
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isOpen { promise.fail(HTTPGet.CollectorError("the proxy closed the connection")) }
        context.fireChannelInactive()
    }

    private func fail(_ context: ChannelHandlerContext, _ text: String) {
        promise.fail(HTTPGet.CollectorError(text))
        context.close(promise: nil)
    }
}
