// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// A message whose handler writes its bytes itself, because building it as an object first would cost too much.
///
/// Room for the gRPC prefix stays in front, as `encodeMessage` leaves it, so that sending does not copy.
package enum HandwrittenMessage {
    /// An empty message. - Parameter capacity: Bytes expected; more may be written.
    package static func begin(capacity: Int = 0) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(capacity + MessageDeframer.prefixLength)
        buffer.writeRepeatingByte(0, count: MessageDeframer.prefixLength)
        return buffer
    }

    /// Completes what was written after `begin`.
    /// - Throws: `resourceExhausted` for more than gRPC's four bytes of length can say.
    package static func end(_ written: consuming ByteBuffer) throws -> ByteBuffer {
        let count = written.readableBytes - MessageDeframer.prefixLength
        guard let length = UInt32(exactly: count) else {
            throw RPCStatus(.resourceExhausted, "grpc: trying to send message larger than max (\(count) vs. \(UInt32.max))")
        }
        written.setInteger(length, at: written.readerIndex + 1)
        written.moveReaderIndex(forwardBy: MessageDeframer.prefixLength)
        return written
    }
}
