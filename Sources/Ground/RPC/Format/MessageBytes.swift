// SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import SwiftProtobuf

/// A `ByteBuffer` as swift-protobuf sees bytes, so that messages are decoded from and encoded into buffers without a copy.
struct MessageBytes: SwiftProtobufContiguousBytes {
    var buffer: ByteBuffer

    init(_ buffer: ByteBuffer) { self.buffer = buffer }

    /// Makes room for a message with its prefix already in front of the first readable byte.
    init(repeating byte: UInt8, count: Int) {
        buffer = ByteBuffer()
        buffer.reserveCapacity(count + MessageDeframer.prefixLength)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(count))
        buffer.writeRepeatingByte(byte, count: count)
        buffer.moveReaderIndex(forwardBy: MessageDeframer.prefixLength)
    }

    init<S: Sequence>(_ sequence: S) where S.Element == UInt8 {
        buffer = ByteBuffer(bytes: sequence)
    }

    var count: Int { buffer.readableBytes }

    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try unsafe buffer.withUnsafeReadableBytes(body)
    }

    mutating func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        try unsafe buffer.withUnsafeMutableReadableBytes(body)
    }
}

/// Why bytes are not a message, in the words of Go's protobuf.
func messageProblem(_ error: any Error) -> String {
    if case .invalidUTF8? = error as? BinaryDecodingError { return "proto: string field contains invalid UTF-8" }
    return "proto: cannot parse invalid wire-format data"
}

/// Decodes a message of at most the size the transport let through.
/// - Throws: `internal` with the reason, as grpc-go answers for bytes that are not the message.
func decodeMessage<M: Message>(_ bytes: ByteBuffer) throws -> M {
    do {
        return try M(serializedBytes: MessageBytes(bytes))
    } catch {
        throw RPCStatus(.internal, "grpc: error unmarshalling request: \(messageProblem(error))")
    }
}

/// Encodes a message, leaving its prefix in the bytes before the first readable one, where `framed` finds it.
package func encodeMessage<M: Message>(_ message: M) throws -> ByteBuffer {
    let bytes: MessageBytes = try message.serializedBytes()
    return bytes.buffer
}

/// Puts the prefix in front of a message. No copy when the prefix is there already (see `encodeMessage`), so one
/// encoding can go to many streams.
func framed(_ message: ByteBuffer) -> ByteBuffer {
    let start = message.readerIndex - MessageDeframer.prefixLength
    if start >= 0 {
        // Bytes before the first readable one cannot be read: back first, then look.
        var bytes = message
        bytes.moveReaderIndex(to: start)
        if bytes.getInteger(at: start, as: UInt8.self) == 0,
            bytes.getInteger(at: start + 1, as: UInt32.self) == UInt32(message.readableBytes)
        {
            return bytes
        }
    }
    var fresh = ByteBuffer()
    fresh.reserveCapacity(message.readableBytes + MessageDeframer.prefixLength)
    fresh.writeInteger(UInt8(0))
    fresh.writeInteger(UInt32(message.readableBytes))
    fresh.writeImmutableBuffer(message)
    return fresh
}
