// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// Socket options that keep an idle connection small: a receive buffer stays with its channel between reads, so it
/// starts at what a call needs and grows only for those who send more.
enum ConnectionOptions {
    static var receiveAllocator: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 64 << 10)
    }
    static let messagesPerRead: UInt = 2

    static func apply(_ bootstrap: ServerBootstrap) -> ServerBootstrap {
        bootstrap
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.recvAllocator, value: receiveAllocator)
            .childChannelOption(.maxMessagesPerRead, value: messagesPerRead)
    }
}
