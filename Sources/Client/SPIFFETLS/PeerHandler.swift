// SPDX-License-Identifier: Apache-2.0

public import NIOCore
import NIOSSL
import NIOTLS
public import SPIFFE

/// Stands behind the TLS handler: remembers who the peer is, tells why a handshake failed, and ends slow handshakes.
///
/// Confined to its channel's event loop, like every handler.
final class PeerHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    /// Set by verification; never by what the peer merely presented.
    private(set) var peer: VerifiedX509SVID?
    private var failure: (any Error)?
    private var timeout: Scheduled<Void>?
    private let requiresPeer: Bool
    private let handshakeTimeout: TimeAmount

    init(requiresPeer: Bool, handshakeTimeout: TimeAmount) {
        self.requiresPeer = requiresPeer
        self.handshakeTimeout = handshakeTimeout
    }

    func accept(_ peer: VerifiedX509SVID) { self.peer = peer }
    func refuse(_ failure: any Error) { self.failure = failure }

    func handlerAdded(context: ChannelHandlerContext) {
        timeout = context.eventLoop.assumeIsolated().scheduleTask(in: handshakeTimeout) {
            context.fireErrorCaught(SPIFFEError(.untrusted, "the TLS handshake took too long"))
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { stopWaiting() }

    func channelInactive(context: ChannelHandlerContext) {
        stopWaiting()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            stopWaiting()
            // A handshake that skipped verification, whatever made it so, has proved nothing.
            if requiresPeer, peer == nil {
                context.fireErrorCaught(SPIFFEError(.untrusted, "the peer's certificate was not verified"))
                context.close(promise: nil)
                return
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // TLS libraries only say that verification failed; we know why.
        context.fireErrorCaught(failure ?? error)
        failure = nil
    }

    private func stopWaiting() {
        timeout?.cancel()
        timeout = nil
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// The identity that was verified when the connection was set up; `nil` before the handshake has completed, and
    /// on connections whose peer need not show one. Only on the channel's event loop.
    public func spiffePeer() -> VerifiedX509SVID? {
        (try? handler(type: PeerHandler.self))?.peer
    }
}

extension Channel {
    /// The identity that was verified when the connection was set up; `nil` before the handshake has completed, and
    /// on connections whose peer need not show one.
    public func spiffePeer() -> EventLoopFuture<VerifiedX509SVID?> {
        eventLoop.submit { self.pipeline.syncOperations.spiffePeer() }
    }
}
