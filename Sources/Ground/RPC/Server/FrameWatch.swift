// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP2

/// Hears of every frame as it leaves the HTTP/2 handler's own buffers. That is how the engine knows what still waits for
/// a flow-control window, and whether the handler has just given up a stream or the connection.
final class FrameWatch: NIOHTTP2FrameDelegate {
    protocol Owner: AnyObject {
        /// Headers, the first or the last of a stream, have left for the socket.
        func wroteHeaders(_ stream: HTTP2StreamID)
        func wroteData(_ stream: HTTP2StreamID, _ count: Int)
        func wroteEnd(_ stream: HTTP2StreamID)
    }

    /// The owner lets go of it when its channel ends; until then each keeps the other.
    var owner: (any Owner)?
    /// The handler said goodbye with an error: what follows in `errorCaught` ends the connection.
    private(set) var gaveUpConnection = false
    /// The handler reset a stream on its own account.
    private var gaveUpStream = false
    /// Set while we write resets and goodbyes ourselves.
    var isOurs = false

    func wroteFrame(_ frame: HTTP2Frame) {
        switch frame.payload {
        case .data(let data):
            owner?.wroteData(frame.streamID, data.data.readableBytes)
            if data.endStream { owner?.wroteEnd(frame.streamID) }
        case .headers(let headers):
            owner?.wroteHeaders(frame.streamID)
            if headers.endStream { owner?.wroteEnd(frame.streamID) }
        case .goAway(_, let code, _):
            if code != .noError { gaveUpConnection = true }
        case .rstStream:
            if !isOurs { gaveUpStream = true }
        default: break
        }
    }

    /// Whether the error just reported concerns one stream only.
    func concernsOneStream(_ error: any Error) -> Bool {
        if gaveUpConnection { return false }
        // A stream that is no longer there: what we wrote for it came after its end. Had the peer named a stream that never
        // was, the handler would have said goodbye before.
        if error is NIOHTTP2Errors.StreamError || error is NIOHTTP2Errors.NoSuchStream { return true }
        defer { gaveUpStream = false }
        return gaveUpStream
    }
}
