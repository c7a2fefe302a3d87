// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// A server's limits. Every one of them exists so that no caller can make the server hold unbounded memory or work.
package struct RPCServerConfiguration: Sendable {
    /// Most bytes of one request message, as grpc-go's default. A larger one ends its call with `ResourceExhausted`.
    package var maximumMessageSize = 4 << 20
    /// Most bytes of one header block, counted as HTTP/2 counts them (RFC 9113 §6.5.2).
    package var maximumHeaderListSize = 16 << 10
    /// Most calls open at once on one connection; those whose handler has not returned yet count.
    package var maximumConcurrentStreams = 10_000
    /// Bytes of a connection's requests that may wait, unread or half-received, before the peer is held back.
    package var maximumBufferedBytes = 16 << 20
    /// Bytes a handler's responses may wait in this process before its `send` waits.
    package var writeHighWatermark = 64 << 10
    /// How long a new connection may take to say its first words.
    package var prefaceTimeout: TimeAmount = .seconds(10)
    /// After this long, give or take a tenth, a connection is asked to end (GOAWAY); open calls go on. `nil` for never.
    package var maximumConnectionAge: TimeAmount?
    /// How long, give or take a third, a connection may last instead while a server-streaming call is open on it; `nil` for
    /// no longer than any other.
    package var maximumStreamingAge: TimeAmount?
    /// How long server-streaming calls may go on after their connection was asked to end, be it for its age or because the
    /// server stops; then they end with `Unavailable`. `nil` for as long as other calls.
    package var streamingGrace: TimeAmount?
    /// A number from 0 up to 1, drawn anew each time: clients that came together are not to go together.
    package var chance: @Sendable () -> Double = { .random(in: 0..<1) }
    /// How long calls may go on after the age was reached; `nil` for as long as they like.
    package var maximumConnectionAgeGrace: TimeAmount?
    /// Pings, settings and priority frames a peer may send beyond one for each frame it was sent, before it is cut off.
    package var controlFrameAllowance = 1_000
    /// Resets of calls that had no answer yet, in a burst, before the peer is cut off.
    package var resetAllowance = 500

    package init() {}
}
