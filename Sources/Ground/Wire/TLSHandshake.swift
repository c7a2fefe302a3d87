// SPDX-License-Identifier: Apache-2.0

import NIOCore
package import NIOSSL
import NIOTLS
import RPC
package import SPIFFE
import SwiftASN1
import Synchronization
package import X509

/// What the verification of a peer's chain found, between NIOSSL's callback and the end of the handshake.
package final class VerifiedPeer: Sendable {
    package init() {}

    struct Found: Sendable {
        let leaf: Certificate
        let id: SPIFFEID?
    }

    private let state = Mutex<(found: Found?, failure: (any Error)?)>((nil, nil))

    var found: Found? { state.withLock { $0.found } }
    /// Why the chain was refused.
    var failure: (any Error)? { state.withLock { $0.failure } }

    /// The callback for NIOSSL.
    ///
    /// - Parameter judge: Gets the chain, leaf first, never empty. Not asked when there is none, which is accepted here.
    package func callback(
        _ judge: @escaping @Sendable ([Certificate]) async throws -> SPIFFEID?
    ) -> NIOSSLCustomVerificationCallbackWithMetadata {
        { presented, promise in
            if presented.isEmpty { return promise.succeed(.certificateVerified(VerificationMetadata(nil))) }
            let ders: [[UInt8]]
            do {
                ders = try presented.map { try $0.toDERBytes() }
            } catch {
                return promise.fail(error)
            }
            promise.completeWithTask {
                do {
                    let chain = try ders.map { try Certificate(derEncoded: $0) }
                    let id = try await judge(chain)
                    self.state.withLock { $0.found = chain.first.map { Found(leaf: $0, id: id) } }
                    return .certificateVerified(VerificationMetadata(nil))
                } catch {
                    self.state.withLock { $0.failure = error }
                    throw error
                }
            }
        }
    }
}

/// Waits for the end of a TLS handshake, then hands the channel on and leaves.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let timeout: TimeAmount
    private let finished: @Sendable (Result<Void, any Error>) -> Void
    private var timer: FairTimer?
    private var isDone = false

    /// - Parameter finished: Called once, on the event loop, before any byte that follows the handshake.
    init(timeout: TimeAmount, finished: @escaping @Sendable (Result<Void, any Error>) -> Void) {
        self.timeout = timeout
        self.finished = finished
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = FairTimer(on: context.eventLoop, in: timeout) {
            bound.value.end(.failure(ConnectFailure(.handshake, "context deadline exceeded")))
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { end(.failure(ChannelError.eof)) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted(let negotiated) = event as? TLSUserEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        if negotiated == "h2" {
            end(.success(()))
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } else {
            end(.failure(ConnectFailure(.handshake, "cannot check peer: missing selected ALPN property")))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(.failure(error)) }

    func channelInactive(context: ChannelHandlerContext) {
        end(.failure(ChannelError.eof))
        context.fireChannelInactive()
    }

    private func end(_ result: Result<Void, any Error>) {
        guard !isDone else { return }
        isDone = true
        timer?.cancel()
        finished(result)
    }
}
