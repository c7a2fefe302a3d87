// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOHPACK
import SwiftProtobuf
import Testing

@testable import RPC

@Suite("Message framing")
struct MessageDeframerTests {
    private func frame(_ payload: [UInt8], flag: UInt8 = 0) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.writeInteger(flag)
        buffer.writeInteger(UInt32(payload.count))
        buffer.writeBytes(payload)
        return Array(buffer.readableBytesView)
    }

    @Test("messages come out whole, wherever the bytes were cut", arguments: 1...13)
    func everyCut(_ step: Int) throws {
        let messages: [[UInt8]] = [[1, 2, 3], [], Array(repeating: 9, count: 40), [7]]
        let bytes = messages.flatMap { frame($0) }
        var deframer = MessageDeframer(limit: 100)
        var found: [[UInt8]] = []
        for start in stride(from: 0, to: bytes.count, by: step) {
            deframer.append(ByteBuffer(bytes: bytes[start..<min(start + step, bytes.count)]))
            while let message = try deframer.next() { found.append(Array(message.readableBytesView)) }
        }
        #expect(found == messages)
        #expect(deframer.isBetweenMessages)
    }

    @Test("a message over the limit is refused as soon as its length is known")
    func tooLarge() throws {
        var deframer = MessageDeframer(limit: 4)
        deframer.append(ByteBuffer(bytes: frame([1, 2, 3, 4, 5]).prefix(5)))
        #expect(throws: MessageDeframer.Failure.tooLarge(5)) { try deframer.next() }
        #expect(
            MessageDeframer.Failure.tooLarge(5).status(limit: 4).message
                == "grpc: received message larger than max (5 vs. 4)")
    }

    @Test("compressed and unknown flags are refused")
    func flags() throws {
        var deframer = MessageDeframer(limit: 4)
        deframer.append(ByteBuffer(bytes: frame([1], flag: 1)))
        #expect(throws: MessageDeframer.Failure.compressed) { try deframer.next() }
        deframer = MessageDeframer(limit: 4)
        deframer.append(ByteBuffer(bytes: frame([1], flag: 9)))
        #expect(throws: MessageDeframer.Failure.unknownFlag(9)) { try deframer.next() }
    }

    @Test("what is missing of a message under way is known")
    func missing() throws {
        var deframer = MessageDeframer(limit: 1000)
        deframer.append(ByteBuffer(bytes: frame(Array(repeating: 1, count: 900)).prefix(105)))
        #expect(try deframer.next() == nil)
        #expect(deframer.missingBytes == 800)
        #expect(!deframer.isBetweenMessages)
    }

    @Test("a message is framed without a copy when its prefix is in place, and correctly when not")
    func framing() throws {
        let encoded = try encodeMessage(Google_Protobuf_BytesValue.with { $0.value = .init([1, 2, 3]) })
        #expect(framed(encoded).readerIndex == 0)
        #expect(Array(framed(encoded).readableBytesView) == [0, 0, 0, 0, 5, 10, 3, 1, 2, 3])
        #expect(Array(framed(ByteBuffer(bytes: [8])).readableBytesView) == [0, 0, 0, 0, 1, 8])
        #expect(Array(framed(try encodeMessage(Google_Protobuf_Empty())).readableBytesView) == [0, 0, 0, 0, 0])
    }
}

@Suite("Status in trailers")
struct StatusFormatTests {
    @Test("messages survive percent encoding", arguments: ["", "plain", "100 %", "ünïcode", "a\nb\u{7f}", "%41"])
    func percent(_ text: String) {
        let encoded = StatusEncoding.percentEncode(text)
        #expect(encoded.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7e })
        #expect(StatusEncoding.percentDecode(encoded) == text)
    }

    @Test("a percent sign that begins nothing stands for itself")
    func loosePercent() {
        #expect(StatusEncoding.percentDecode("50% or 5%zz%4") == "50% or 5%zz%4")
    }

    @Test("base64 works with and without padding and refuses the rest")
    func base64() {
        for count in 0..<20 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) }
            let text = StatusEncoding.base64(bytes)
            #expect(StatusEncoding.fromBase64(text) == bytes)
            let padded = text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
            #expect(StatusEncoding.fromBase64(padded) == bytes)
        }
        #expect(StatusEncoding.fromBase64("!") == nil)
        #expect(StatusEncoding.fromBase64("A") == nil)
        #expect(StatusEncoding.fromBase64("A=A") == nil)
    }

    @Test("details survive encoding")
    func details() throws {
        let status = RPCStatus(
            .permissionDenied, "no",
            details: [.init(typeURL: "type.googleapis.com/x", value: Array(repeating: 5, count: 300)), .init(typeURL: "y", value: [])])
        #expect(StatusDetails.decode(StatusDetails.encode(status)) == status)
    }

    @Test("bytes that are no status are refused without harm")
    func hostileDetails() {
        for bytes: [UInt8] in [[0xff], [0x1a, 0x05, 0x0a], [0x0b], [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]] {
            #expect(StatusDetails.decode(bytes) == nil)
        }
        var seed: UInt64 = 1
        for _ in 0..<20_000 {
            let bytes = (0..<24).map { _ -> UInt8 in
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: seed >> 33)
            }
            _ = StatusDetails.decode(bytes)
        }
    }

    @Test("timeouts are read in every unit and refused otherwise")
    func timeouts() {
        #expect(Timeout.parse("5n") == .nanoseconds(5))
        #expect(Timeout.parse("5u") == .microseconds(5))
        #expect(Timeout.parse("99999999m") == .milliseconds(99_999_999))
        #expect(Timeout.parse("2S") == .seconds(2))
        #expect(Timeout.parse("2M") == .minutes(2))
        #expect(Timeout.parse("2H") == .hours(2))
        #expect(Timeout.parse("99999999H") != nil)
        for text in ["", "S", "5", "5s", "123456789S", "-1S", "1.5S", " 1S"] { #expect(Timeout.parse(text) == nil) }
        #expect(Timeout.format(.seconds(3)) == "3000000u")
        #expect(Timeout.format(.nanoseconds(-4)) == "1n")
        #expect(Timeout.parse(Timeout.format(.hours(30_000))) == .hours(30_000))
    }
}

@Suite("Request headers")
struct RequestHeadTests {
    private let good: [(String, String)] = [
        (":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "here"),
        ("content-type", "application/grpc+proto"), ("te", "trailers"), ("grpc-timeout", "1S"), ("my-key", "v"),
    ]

    @Test("a sound request is read")
    func sound() throws {
        let head = try RequestHead(HPACKHeaders(good))
        #expect(head.path == "/a.B/C")
        #expect(head.authority == "here")
        #expect(head.timeout == .seconds(1))
        #expect(head.metadata["my-key"] == ["v"])
    }

    @Test(
        "what is not gRPC is refused with the HTTP status grpc-go uses",
        arguments: [
            (":method", "GET", "405"), ("content-type", "text/html", "415"),
            ("content-type", "application/grpcx", "415"), ("grpc-timeout", "soon", "400"),
        ])
    func refused(_ name: String, _ value: String, _ http: String) {
        let headers = HPACKHeaders(good.map { $0.0 == name ? (name, value) : $0 })
        #expect { try RequestHead(headers) } throws: { ($0 as? RequestHead.Refusal)?.http == http }
    }

    @Test("a compressed request is refused and told what is accepted")
    func compressed() {
        let headers = HPACKHeaders(good + [("grpc-encoding", "gzip")])
        #expect { try RequestHead(headers) } throws: {
            ($0 as? RequestHead.Refusal)?.status.code == .unimplemented
                && ($0 as? RequestHead.Refusal)?.namesEncodings == true
        }
    }

    @Test("headers HTTP/2 does not allow reset the stream")
    func malformed() {
        let bad: [[(String, String)]] = [
            good + [(":path", "/again")], good + [("connection", "close")], good + [("Upper", "x")], good + [("a b", "x")],
            good.filter { $0.0 != ":path" }, good.filter { $0.0 != ":method" }, [(":method", "GET")] + good, [],
            [(":what", "x")] + good,
        ]
        for headers in bad {
            #expect(throws: RequestHead.malformed) { try RequestHead(HPACKHeaders(headers)) }
        }
    }

    @Test("content types are recognised as the specification says")
    func contentTypes() {
        for text in ["application/grpc", "application/grpc+proto", "application/grpc;x=y", "Application/gRPC"] {
            #expect(isGRPC(text))
        }
        for text in ["application/grpc-web", "application/json", "", "application/grp"] { #expect(!isGRPC(text)) }
        #expect(!isGRPC(nil))
    }
}
