// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP2

/// How the HTTP/2 handler is set up.
///
/// Its own rate limits allot room for every event they may count, on every connection. So a server, which has many
/// connections, counts with `PeerAllowance` instead, and sets the handler's limits so small in room and so short in time
/// that nobody meets them. A client has few connections and leaves the counting to the handler, over short spans.
enum HTTP2Limits {
    enum Role { case client, server }

    /// More events than a process can read in the span that goes with it.
    private static let uncounted = 16
    private static let instant: TimeAmount = .nanoseconds(1)

    static func connection(
        _ role: Role, maximumStreams: Int, maximumHeaderListSize: Int
    ) -> NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: maximumStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: maximumHeaderListSize),
        ]
        // A tenth of a call's cost, for rules that `RequestHead` and `ResponseHead` check as far as they matter here.
        configuration.headerBlockValidation = .disabled
        configuration.contentLengthValidation = .disabled
        // `ResetWindow` relies on it.
        configuration.maximumRecentlyResetStreams = ResetWindow.capacity
        // Heads of answers count too: each of our calls may have its head and its trailers waiting for a slow reader.
        configuration.maximumBufferedControlFrames = 1_000 + 2 * maximumStreams
        configuration.maximumConnectionGlitches = 1_000
        configuration.controlFrameRateLimit.maximumCount = role == .client ? 200 : uncounted
        configuration.controlFrameRateLimit.windowLength = role == .client ? .milliseconds(10) : instant
        return configuration
    }

    static func stream(_ role: Role) -> NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        // A client that leaves ends all its calls at once, as fast as we can read. Those that had no answer yet are counted
        // by `PeerAllowance`; the others cost a frame each, like anything else.
        configuration.streamResetFrameRateLimit.maximumCount = role == .client ? 500 : uncounted
        configuration.streamResetFrameRateLimit.windowLength = role == .client ? .milliseconds(1) : instant
        configuration.streamErrorRateLimit.maximumCount = 100
        configuration.streamErrorRateLimit.windowLength = .seconds(10)
        return configuration
    }
}
