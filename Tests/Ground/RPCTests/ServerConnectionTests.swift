// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP2
import Testing

@testable import RPC

@Suite("A server's connection")
struct ServerConnectionTests {
    @Test("answers a call on the loop, with headers, message and trailers")
    func echo() throws {
        let server = try EmbeddedServer()
        server.headers(on: 1)
        server.message([0, 0, 0, 0, 3, 10, 1, 7], on: 1)
        try server.flush()
        #expect(server.answer(1) == ("200", "0", nil))
        let data = server.frames.compactMap { frame -> [UInt8]? in
            guard case .data(let payload) = frame.payload, case .byteBuffer(let bytes) = payload.data else { return nil }
            return Array(bytes.readableBytesView)
        }
        #expect(data == [[0, 0, 0, 0, 3, 10, 1, 7]])
    }

    @Test("answers what is not a call of its own with grpc-go's words")
    func refusals() throws {
        let server = try EmbeddedServer()
        server.headers([(":path", "/test.Echo/Other")], on: 1, end: true)
        server.headers([(":path", "/test.Other/Now")], on: 3, end: true)
        server.headers([(":path", "/nothing")], on: 5, end: true)
        server.headers([("content-type", "text/plain")], on: 7, end: true)
        server.headers([(":method", "GET")], on: 9, end: true)
        server.headers([("grpc-encoding", "gzip")], on: 11, end: true)
        server.headers(on: 13, end: true)
        try server.flush()
        #expect(server.answer(1) == ("200", "12", "unknown method Other for service test.Echo"))
        #expect(server.answer(3) == ("200", "12", "unknown service test.Other"))
        #expect(server.answer(5) == ("200", "12", "malformed method name: \"/nothing\""))
        #expect(server.answer(7).http == "415")
        #expect(server.answer(9).http == "405")
        #expect(server.answer(11).status == "12")
        #expect(server.answer(13).status == "13")
    }

    @Test("bytes that are no message end the call, not the connection")
    func badProtobuf() throws {
        let server = try EmbeddedServer()
        server.headers(on: 1)
        server.message([0, 0, 0, 0, 1, 0xff], on: 1)
        server.headers(on: 3)
        server.message([0, 0, 0, 0, 0], on: 3)
        try server.flush()
        #expect(server.answer(1).status == "13")
        #expect(server.answer(3).status == "0")
    }

    @Test("a message over the limit is refused before it is received")
    func tooLarge() throws {
        let server = try EmbeddedServer { $0.maximumMessageSize = 10 }
        server.headers(on: 1)
        server.message([0, 0, 0, 0, 11], on: 1, end: false)
        try server.flush()
        #expect(server.answer(1) == ("200", "8", "grpc: received message larger than max (11 vs. 10)"))
        #expect(
            server.frames.contains {
                if case .rstStream(let code) = $0.payload { code == .noError } else { false }
            })
    }

    @Test("a request that does not come in time is given up")
    func lateRequest() throws {
        let server = try EmbeddedServer()
        server.headers([("grpc-timeout", "1n")], on: 1)
        try server.flush()
        server.channel.embeddedEventLoop.advanceTime(to: .now() + .seconds(1))
        try server.pump()
        #expect(server.answer(1) == ("200", "4", "context deadline exceeded"))
    }

    @Test("a connection that says nothing is closed")
    func silent() throws {
        let server = try EmbeddedServer(greet: false)
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        #expect(server.channel.isActive)
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!server.channel.isActive)
    }

    @Test("pings in step with our answers are welcome, a flood ends the connection")
    func pings() throws {
        let server = try EmbeddedServer { $0.controlFrameAllowance = 50 }
        for call in 0..<150 {
            let stream = 2 * call + 1
            server.headers(on: stream)
            server.message([0, 0, 0, 0, 0], on: stream)
            server.write(.ping(HTTP2PingData(withInteger: 1), ack: false), on: 0)
            try server.flush()
        }
        #expect(server.channel.isActive)
        for _ in 0..<2_000 { server.write(.ping(HTTP2PingData(withInteger: 1), ack: false), on: 0) }
        try server.flush()
        #expect(server.goAway == .enhanceYourCalm)
        #expect(!server.channel.isActive)
    }

    @Test("calls reset before their answer, over and over, end the connection")
    func resets() throws {
        let server = try EmbeddedServer { $0.resetAllowance = 50 }
        for call in 0..<60 {
            let stream = 2 * call + 1
            server.headers(on: stream)
            server.write(.rstStream(.cancel), on: stream)
            if call % 10 == 0 { try server.flush() }
        }
        try server.flush()
        #expect(server.goAway == .enhanceYourCalm)
        #expect(!server.channel.isActive)
    }

    @Test("a call on its way while the server says goodbye is served, and the goodbye then names it as the last")
    func farewell() throws {
        let server = try EmbeddedServer { $0.maximumConnectionAge = .seconds(10) }
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(12))
        // The client has not read the goodbye yet.
        server.headers(on: 1)
        server.message([0, 0, 0, 0, 0], on: 1)
        try server.flush()
        #expect(server.answer(1).status == "0")
        #expect(server.lastStreams == [.maxID, 1])
        #expect(!server.channel.isActive)
    }

    @Test("a peer that answers no ping is sent off all the same")
    func silentFarewell() throws {
        let server = try EmbeddedServer { $0.maximumConnectionAge = .seconds(10) }
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(12))
        #expect(server.channel.isActive)
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(11))
        #expect(!server.channel.isActive)
    }

    @Test("an old connection is asked to go, and closed once its calls are over")
    func age() throws {
        let server = try EmbeddedServer { $0.maximumConnectionAge = .seconds(60) }
        server.headers(on: 1)
        try server.flush()
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(70))
        try server.pump()
        #expect(server.goAway == .noError)
        #expect(server.channel.isActive, "a call is still open")
        server.message([0, 0, 0, 0, 0], on: 1)
        try server.flush()
        #expect(server.answer(1).status == "0")
        #expect(!server.channel.isActive)
    }

    @Test("random bytes after the preface close the connection and harm nothing", arguments: 0..<200)
    func noise(_ seed: UInt64) throws {
        let server = try EmbeddedServer(greet: false)
        var state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
        func byte() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        var bytes = ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        bytes.writeBytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
        for _ in 0..<60 {
            // Frames with sound sizes and unsound everything else.
            let count = byte() % 40
            bytes.writeBytes([0, 0, count, byte() % 12, byte(), 0, 0, 0, byte() % 8])
            for _ in 0..<count { bytes.writeInteger(byte()) }
        }
        try server.send(bytes)
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(30))
        _ = try? server.channel.finish()
    }
}
