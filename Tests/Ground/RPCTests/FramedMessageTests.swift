// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SwiftProtobuf
import Testing

@testable import RPC

@Suite struct FramedMessageTests {
    private func address(_ buffer: ByteBuffer) -> Int {
        unsafe buffer.withUnsafeReadableBytes { Int(bitPattern: $0.baseAddress) }
    }

    private func expectPrefixInPlace(_ message: ByteBuffer) {
        let sent = framed(message)
        #expect(sent.readableBytes == message.readableBytes + 5)
        #expect(sent.getInteger(at: sent.readerIndex, as: UInt8.self) == 0)
        #expect(sent.getInteger(at: sent.readerIndex + 1, as: UInt32.self) == UInt32(message.readableBytes))
        #expect(address(sent) == address(message) - 5)
    }

    @Test("an encoded message is sent from where it was encoded, without a copy")
    func encoded() throws { expectPrefixInPlace(try encodeMessage(Google_Protobuf_StringValue("hello"))) }

    @Test("so is one whose handler wrote its bytes itself")
    func handwritten() throws {
        var bytes = HandwrittenMessage.begin()
        bytes.writeRepeatingByte(7, count: 100_000)
        let message = try HandwrittenMessage.end(bytes)
        #expect(Array(message.readableBytesView) == [UInt8](repeating: 7, count: 100_000))
        expectPrefixInPlace(message)
    }

    @Test("bytes that are not the message are refused in the words of Go's protobuf", arguments: [
        ([0x0A, 0x05, 0x61], "cannot parse invalid wire-format data"), ([0x0F], "cannot parse invalid wire-format data"),
        ([0x0A, 0x01, 0xFF], "string field contains invalid UTF-8"),
    ])
    func refused(bytes: [UInt8], words: String) {
        #expect(throws: RPCStatus(.internal, "grpc: error unmarshalling request: proto: " + words)) {
            _ = try decodeMessage(ByteBuffer(bytes: bytes)) as Google_Protobuf_StringValue
        }
    }

    @Test("an empty one has its prefix too")
    func empty() throws { expectPrefixInPlace(try HandwrittenMessage.end(HandwrittenMessage.begin())) }

    @Test("bytes without a prefix in front get one, and are left alone themselves")
    func bare() {
        var message = ByteBuffer(bytes: [9, 9, 9, 9, 9, 1, 2, 3])
        message.moveReaderIndex(forwardBy: 5)
        #expect(Array(framed(message).readableBytesView) == [0, 0, 0, 0, 3, 1, 2, 3])
        #expect(Array(framed(ByteBuffer(bytes: [1])).readableBytesView) == [0, 0, 0, 0, 1, 1])
    }
}
