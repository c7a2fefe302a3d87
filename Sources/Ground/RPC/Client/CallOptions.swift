// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// What one call asks for beyond its request.
package struct CallOptions: Sendable {
    /// How long the caller waits, connecting included; `nil` for ever. Sent as `grpc-timeout`.
    package var timeout: Duration?
    package var metadata: Metadata
    /// How often the server is asked for a sign of life while the call is open; `nil` for never. Of several calls on one
    /// connection the one that asked first counts.
    package var keepalive: TimeAmount?
    /// Called once, on the connection's event loop, when the server asks the connection to end while the call is open: the
    /// call goes on for a while, and the next call gets another connection.
    package var leaving: (@Sendable () -> Void)?

    package init(timeout: Duration? = nil, metadata: Metadata = Metadata()) {
        self.timeout = timeout
        self.metadata = metadata
    }
}

/// A client's limits and names.
package struct RPCClientConfiguration: Sendable {
    /// The `:authority` sent with each call.
    package var authority = "localhost"
    /// `https` for TLS channels.
    package var scheme = "http"
    package var userAgent = "grpc-swift-spire/1.0"
    /// Most bytes of one response message. A larger one ends its call with `ResourceExhausted`.
    package var maximumMessageSize = 4 << 20
    package var maximumHeaderListSize = 16 << 10
    /// How long one attempt to connect, with its handshakes, may take.
    package var connectTimeout: TimeAmount = .seconds(20)
    /// Bytes of requests that may wait in this process before a `send` waits.
    package var writeHighWatermark = 64 << 10
    /// How often an unused connection is asked for a sign of life; `nil` for never.
    package var keepaliveInterval: TimeAmount?
    /// How long the answer to such a question may take before the connection is given up.
    package var keepaliveTimeout: TimeAmount = .seconds(20)
    /// Hears of every call, and may add metadata to it.
    package var observer: (any ClientCallObserver)?

    package init() {}
}

/// Hears of the calls a client makes.
package protocol ClientCallObserver: Sendable {
    /// A call begins. - Returns: what is told how it ended (`nil` for OK); `nil` when nobody wants to know.
    func begin(_ method: MethodPath, _ metadata: inout Metadata) -> (@Sendable (RPCStatus?) -> Void)?
}
