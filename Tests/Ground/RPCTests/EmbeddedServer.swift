// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP2
import SwiftProtobuf

@testable import RPC

typealias Bytes = Google_Protobuf_BytesValue

/// A server on an embedded channel and a bare HTTP/2 client beside it; bytes move when `pump` is called.
final class EmbeddedServer {
    static let echo = UnaryMethod<Bytes, Bytes>("test.Echo", "Now")

    static let follow = ServerStreamingMethod<Bytes, Bytes>("test.Echo", "Follow")

    let server: RPCServer
    let channel = EmbeddedChannel()
    let client = EmbeddedChannel(handler: NIOHTTP2Handler(mode: .client))
    private(set) var frames: [HTTP2Frame] = []

    init(_ change: (inout RPCServerConfiguration) -> Void = { _ in }, greet: Bool = true) throws {
        var table = ServiceTable()
        table.immediate(Self.echo) { request, _ in request }
        table.serverStreaming(Self.follow) { request, writer, _ in
            try await writer.send(request)
            // Until it is cancelled.
            let (events, source) = AsyncStream<Never>.makeStream()
            for await _ in events {}
            source.finish()
        }
        var configuration = RPCServerConfiguration()
        change(&configuration)
        server = RPCServer(services: table, configuration: configuration)
        try server.serve(on: channel, peer: "test").wait()
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/fake")).wait()
        guard greet else { return }
        try client.connect(to: SocketAddress(unixDomainSocketPath: "/fake")).wait()
        try pump()
        frames = []
    }

    /// Moves bytes both ways until nothing moves, and collects what the client received.
    func pump() throws {
        var moved = true
        while moved {
            moved = false
            client.embeddedEventLoop.run()
            channel.embeddedEventLoop.run()
            while let data = try client.readOutbound(as: IOData.self) {
                if case .byteBuffer(let bytes) = data { try send(bytes) }
                moved = true
            }
            while let data = try channel.readOutbound(as: IOData.self) {
                if case .byteBuffer(let bytes) = data, client.isActive { _ = try? client.writeInbound(bytes) }
                moved = true
            }
        }
        while let frame = try client.readInbound(as: HTTP2Frame.self) { frames.append(frame) }
    }

    /// Hands raw bytes to the server; errors end its channel and are not the test's.
    func send(_ bytes: ByteBuffer) throws {
        guard channel.isActive else { return }
        _ = try? channel.writeInbound(bytes)
    }

    func write(_ frame: HTTP2Frame.FramePayload, on stream: Int) {
        client.write(HTTP2Frame(streamID: HTTP2StreamID(stream), payload: frame), promise: nil)
    }

    func headers(_ change: [(String, String)] = [], on stream: Int, end: Bool = false) {
        var headers: [(String, String)] = [
            (":method", "POST"), (":scheme", "http"), (":path", "/test.Echo/Now"), (":authority", "x"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ]
        for (name, value) in change {
            if let index = headers.firstIndex(where: { $0.0 == name }) {
                headers[index].1 = value
            } else {
                headers.append((name, value))
            }
        }
        write(.headers(.init(headers: HPACKHeaders(headers), endStream: end)), on: stream)
    }

    func message(_ bytes: [UInt8], on stream: Int, end: Bool = true) {
        write(.data(.init(data: .byteBuffer(ByteBuffer(bytes: bytes)), endStream: end)), on: stream)
    }

    func flush() throws {
        client.flush()
        try pump()
    }

    /// Opens a call that is answered once and then lasts.
    func follow(on stream: Int) throws {
        headers([(":path", "/test.Echo/Follow")], on: stream)
        message([0, 0, 0, 0, 0], on: stream)
        try flush()
    }

    /// Lets `span` pass, and what becomes due then happen.
    func pass(_ span: TimeAmount) throws {
        channel.embeddedEventLoop.advanceTime(by: span)
        try pump()
    }

    /// The status a call ended with, and the HTTP status it began with.
    func answer(_ stream: Int) -> (http: String?, status: String?, message: String?) {
        var http: String?
        for frame in frames where frame.streamID == HTTP2StreamID(stream) {
            guard case .headers(let payload) = frame.payload else { continue }
            http = payload.headers.first(name: ":status") ?? http
            if let status = payload.headers.first(name: "grpc-status") {
                return (http, status, payload.headers.first(name: "grpc-message"))
            }
        }
        return (http, nil, nil)
    }

    /// The last calls the goodbyes named.
    var lastStreams: [HTTP2StreamID] {
        frames.compactMap { frame in
            if case .goAway(let last, _, _) = frame.payload { last } else { nil }
        }
    }

    var goAway: HTTP2ErrorCode? {
        for frame in frames {
            if case .goAway(_, let code, _) = frame.payload { return code }
        }
        return nil
    }
}
