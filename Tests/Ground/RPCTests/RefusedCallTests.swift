// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOHTTP2
import NIOPosix
import SwiftProtobuf
import Synchronization
import Testing

@testable import RPC

/// A server that turns the first callers away without looking at their calls, as one does that is about to stop.
private final class Refusing: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame
    enum Way: Sendable, CaseIterable { case goAway, reset, resetThenClose }

    private let way: Way
    private var frames = 0

    init(_ way: Way) { self.way = way }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard case .headers = frame.payload else { return }
        switch way {
        case .goAway:
            let goodbye = HTTP2Frame.FramePayload.goAway(lastStreamID: .rootStream, errorCode: .noError, opaqueData: nil)
            context.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: .rootStream, payload: goodbye)), promise: nil)
            leave(context)
        case .reset, .resetThenClose:
            context.writeAndFlush(
                wrapOutboundOut(HTTP2Frame(streamID: frame.streamID, payload: .rstStream(.refusedStream))), promise: nil)
            if case .resetThenClose = way { leave(context) }
        }
    }

    /// Closed both ways with bytes unread, the kernel would take back what was just said.
    private func leave(_ context: ChannelHandlerContext) { context.close(mode: .output, promise: nil) }
}

@Suite("Calls a server did not look at")
struct RefusedCallTests {
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private static let now = UnaryMethod<Bytes, Bytes>("test.Echo", "Now")
    private static let twice = ServerStreamingMethod<Bytes, Bytes>("test.Echo", "Twice")
    private static let join = ClientStreamingMethod<Bytes, Bytes>("test.Echo", "Join")
    private static let chat = BidirectionalMethod<Bytes, Bytes>("test.Echo", "Chat")

    /// A server that refuses the first `refusals` connections.
    private func run(
        _ way: Refusing.Way, refusals: Int, _ body: (RPCClient) async throws -> Void
    ) async throws {
        var table = ServiceTable()
        table.immediate(Self.now) { request, _ in request }
        table.serverStreaming(Self.twice) { request, writer, _ in
            for _ in 0..<2 { try await writer.send(request) }
        }
        table.clientStreaming(Self.join) { requests, _ in
            var all = Bytes()
            for try await bytes in requests { all.value += bytes.value }
            return all
        }
        table.bidirectional(Self.chat) { requests, writer, _ in
            for try await bytes in requests { try await writer.send(bytes) }
        }
        let server = RPCServer(services: table)
        let accepted = Mutex(0)
        let channel = try await ServerBootstrap(group: Self.group)
            .childChannelInitializer { channel in
                let number = accepted.withLock { count in
                    count += 1
                    return count
                }
                guard number <= refusals else { return server.serve(on: channel, peer: "test") }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([NIOHTTP2Handler(mode: .server), Refusing(way)])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(channel.localAddress)
        let client = RPCClient(group: Self.group) { ClientBootstrap(group: $0).connect(to: address) }
        let result: Result<Void, any Error>
        do { result = .success(try await body(client)) } catch { result = .failure(error) }
        await client.close()
        try await channel.close().get()
        await server.drain(within: .seconds(1))
        try result.get()
    }

    private func bytes(_ text: String) -> Bytes { Bytes.with { $0.value = .init(text.utf8) } }

    @Test("are made again out of the caller's sight, of every kind", arguments: [Refusing.Way.goAway, .resetThenClose])
    private func again(_ way: Refusing.Way) async throws {
        try await run(way, refusals: 2) { client in
            let found = try await client.unary(Self.now, bytes("a"))
            #expect(found == bytes("a"))
        }
        try await run(way, refusals: 2) { client in
            let found = try await client.serverStreaming(Self.twice, bytes("b")) { try await $0.reduce(into: []) { $0.append($1) } }
            #expect(found == [bytes("b"), bytes("b")])
        }
        try await run(way, refusals: 2) { client in
            let found = try await client.clientStreaming(Self.join) { writer in
                for part in ["c", "d", "e"] { try await writer.send(bytes(part)) }
            }
            #expect(found == bytes("cde"))
        }
        try await run(way, refusals: 2) { client in
            try await client.bidirectional(Self.chat) { writer, replies in
                for part in ["f", "g"] { try await writer.send(bytes(part)) }
                for part in ["f", "g"] {
                    let found = try await replies.next()
                    #expect(found == bytes(part))
                }
                try await writer.send(bytes("h"))
                try await writer.finish()
                let rest = try await replies.reduce(into: []) { $0.append($1) }
                #expect(rest == [bytes("h")])
            }
        }
    }

    @Test("are given up after three times", arguments: Refusing.Way.allCases)
    private func givenUp(_ way: Refusing.Way) async throws {
        try await run(way, refusals: 100) { client in
            await #expect(throws: RPCStatus.self) { _ = try await client.unary(Self.now, bytes("a")) }
            await #expect(throws: RPCStatus.self) {
                try await client.serverStreaming(Self.twice, bytes("b")) { _ = try await $0.next() }
            }
            await #expect(throws: RPCStatus.self) {
                try await client.bidirectional(Self.chat) { writer, replies in
                    try await writer.send(bytes("f"))
                    _ = try await replies.next()
                }
            }
        }
    }
}
