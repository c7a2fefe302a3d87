// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Stands at the front of a trusted proxy's connection until its header has come, then steps aside.
///
/// Confined to its channel's event loop, like every handler.
final class ProxyHeaderReader: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let timeout: TimeAmount
    /// Told once: who the client is (`nil`: whoever connected), or that there is nothing to serve.
    private var done: ((Result<String?, any Error>) -> Void)?
    private var gathered = ByteBuffer()
    private var deadline: Scheduled<Void>?

    init(timeout: TimeAmount, done: @escaping (Result<String?, any Error>) -> Void) {
        self.timeout = timeout
        self.done = done
    }

    func handlerAdded(context: ChannelHandlerContext) {
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            self.finish(.failure(ChannelError.connectTimeout(self.timeout)), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(ChannelError.eof), context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { finish(.failure(error), context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard done != nil else { return context.fireChannelRead(data) }
        gathered.writeBuffer(&bytes)
        let window = Array(gathered.readableBytesView.prefix(ProxyHeader.longestBinary))
        switch ProxyHeader.read(window[...]) {
        case .incomplete: return
        case .absent: finish(.success(nil), context)
        case .malformed: finish(.failure(ChannelError.inappropriateOperationForState), context)
        case .complete(let header):
            gathered.moveReaderIndex(forwardBy: header.length)
            finish(.success(header.source), context)
        }
    }

    private func finish(_ result: Result<String?, any Error>, _ context: ChannelHandlerContext) {
        guard let done else { return }
        self.done = nil
        deadline?.cancel()
        // Adds what serves the connection behind this handler.
        done(result)
        guard case .success = result else { return }
        if gathered.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(gathered))
            context.fireChannelReadComplete()
        }
        gathered = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
