// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP2

/// How the HTTP/2 handler is set up.
///
/// Its own rate limits count over short spans only, because it allots room for every event it may count, on every
/// connection; what a peer may do over longer spans is `PeerAllowance`'s business.
enum HTTP2Limits {
    static func connection(
        maximumStreams: Int, maximumHeaderListSize: Int
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
        configuration.controlFrameRateLimit.maximumCount = 200
        configuration.controlFrameRateLimit.windowLength = .milliseconds(10)
        return configuration
    }

    static var stream: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        // A client that leaves ends all its calls at once, as fast as we can read. Those that had no answer yet are counted
        // by `PeerAllowance`; the others cost a frame each, like anything else.
        configuration.streamResetFrameRateLimit.maximumCount = 500
        configuration.streamResetFrameRateLimit.windowLength = .milliseconds(1)
        configuration.streamErrorRateLimit.maximumCount = 100
        configuration.streamErrorRateLimit.windowLength = .seconds(10)
        return configuration
    }
}
