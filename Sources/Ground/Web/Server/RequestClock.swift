// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// Counts the bytes of a request before they are parsed, and closes connections that send more than a request may have.
///
/// Confined to its channel's event loop, like every handler.
final class RequestBudget: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limit: Int
    private var used = 0

    init(limit: Int) { self.limit = limit }

    /// A request is complete: the next one may use as much.
    func restart() { used = 0 }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        used += unwrapInboundIn(data).readableBytes
        guard used <= limit else { return context.close(promise: nil) }
        context.fireChannelRead(data)
    }
}

/// Ends connections whose peer is slow: to shake hands, to send its request, to take the answer, or to ask again.
final class RequestClock: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let limits: WebLimits
    private let budget: RequestBudget
    private var timer: Scheduled<Void>?

    init(_ limits: WebLimits, budget: RequestBudget) {
        self.limits = limits
        self.budget = budget
    }

    func handlerAdded(context: ChannelHandlerContext) { wait(limits.requestTimeout, context) }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) {
            budget.restart()
            wait(limits.answerTimeout, context)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        let done = promise ?? context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        done.futureResult.whenSuccess {
            let (clock, context) = bound.value
            clock.wait(clock.limits.idleTimeout, context)
        }
        context.write(data, promise: done)
    }

    private func wait(_ time: TimeAmount, _ context: ChannelHandlerContext) {
        stop()
        guard context.channel.isActive || context.channel.isWritable else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
    }

    private func stop() {
        timer?.cancel()
        timer = nil
    }
}
