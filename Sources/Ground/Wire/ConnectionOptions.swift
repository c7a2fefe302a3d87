// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// Socket options that keep an idle connection small: a receive buffer stays with its channel between reads, so it
/// starts at what a call needs and grows only for those who send more.
enum ConnectionOptions {
    static var receiveAllocator: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 1024, maximum: 64 << 10)
    }
    static let messagesPerRead: UInt = 2
    /// Callers that may wait to be taken in; the system has the last word (net.core.somaxconn).
    static let queueLength: Int32 = 16_384

    static func apply(_ bootstrap: ServerBootstrap) -> ServerBootstrap {
        bootstrap
            .serverChannelOption(.backlog, value: queueLength)
            .childChannelOption(.recvAllocator, value: receiveAllocator)
            .childChannelOption(.maxMessagesPerRead, value: messagesPerRead)
    }
}
