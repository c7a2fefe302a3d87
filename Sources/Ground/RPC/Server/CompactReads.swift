// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Hands small reads on in buffers of their own size. Stands below HTTP/2.
///
/// The HTTP/2 decoder holds on to the last buffer it was given. From TLS that is one with room for a whole record (16 KiB),
/// from a socket the channel's receive buffer: so every read would take a new one, and every idle connection would keep
/// two or three.
package final class CompactReads: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    /// Above this many bytes a read is worth its buffer.
    static let limit = 4096

    package init() {}

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let read = unwrapInboundIn(data)
        guard read.readableBytes <= Self.limit else { return context.fireChannelRead(data) }
        var small = context.channel.allocator.buffer(capacity: read.readableBytes)
        small.writeImmutableBuffer(read)
        context.fireChannelRead(wrapInboundOut(small))
    }
}
