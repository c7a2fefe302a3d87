// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL
import SPIFFE
import Synchronization
import Testing

@testable import SPIFFETLS

/// Echoes what it reads; `whoami` is answered with the verified identity of the peer.
private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    let failures: FailureLog

    init(_ failures: FailureLog) { self.failures = failures }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        guard buffer == ByteBuffer(string: "whoami") else {
            return context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        }
        let peer = context.pipeline.syncOperations.spiffePeer()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: peer?.id.description ?? "anonymous")), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failures.add(error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        failures.closed()
        context.fireChannelInactive()
    }
}

/// What went wrong on a server's connections, for tests to wait for.
final class FailureLog: Sendable {
    let failures: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() { (failures, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(100)) }

    func add(_ error: any Error) { continuation.yield("\(error)") }
    func closed() { continuation.yield("closed") }

    /// The next failure, in words.
    func next() async -> String {
        for await failure in failures { return failure }
        return ""
    }
}

/// A server on the loopback interface for the time of `body`.
func withServer(
    _ tls: ServerTLS, _ body: (SocketAddress, FailureLog) async throws -> Void
) async throws {
    let log = FailureLog()
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try tls.addHandlers(to: channel.pipeline.syncOperations)
                try channel.pipeline.syncOperations.addHandler(EchoHandler(log))
            }
        }
        .bind(host: "127.0.0.1", port: 0).get()
    guard let address = server.localAddress else { preconditionFailure("a bound server has an address") }
    do {
        try await body(address, log)
    } catch {
        try? await server.close()
        throw error
    }
    try await server.close()
}

/// One connection, used line by line.
final class Conversation {
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    let channel: any Channel

    init(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>,
        _ channel: any Channel
    ) {
        self.inbound = inbound.makeAsyncIterator()
        self.outbound = outbound
        self.channel = channel
    }

    func ask(_ text: String) async throws -> String {
        do {
            try await outbound.write(ByteBuffer(string: text))
        } catch {
            // Closed already: reading tells why.
            _ = try await inbound.next(isolation: #isolation)
            throw error
        }
        return try await inbound.next(isolation: #isolation).map { String(buffer: $0) } ?? "(closed)"
    }

    /// Asks and checks the answer.
    func ask(_ text: String, expecting answer: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let got = try await ask(text)
        #expect(got == answer, sourceLocation: sourceLocation)
    }

    /// The identity the client verified.
    func peer() async throws -> VerifiedX509SVID? { try await channel.spiffePeer().get() }
}

/// A connection for the time of `body`.
func withConnection<Result>(
    to address: SocketAddress, _ addTLS: @escaping @Sendable (any Channel) throws -> Void,
    _ body: (Conversation) async throws -> Result
) async throws -> Result {
    let connection = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .connect(to: address) { channel in
            channel.eventLoop.makeCompletedFuture {
                try addTLS(channel)
                return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    return try await connection.executeThenClose { inbound, outbound in
        try await body(Conversation(inbound, outbound, connection.channel))
    }
}

func withConnection<Result>(
    to address: SocketAddress, _ tls: ClientTLS, _ body: (Conversation) async throws -> Result
) async throws -> Result {
    try await withConnection(to: address, { try tls.addHandlers(to: $0.pipeline.syncOperations) }, body)
}
