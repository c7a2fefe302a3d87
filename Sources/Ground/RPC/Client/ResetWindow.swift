// SPDX-License-Identifier: Apache-2.0

import DequeModule
import NIOHTTP2

/// Decides when a client's resets may be sent.
///
/// What a server had already sent on a stream arrives after we have reset it. The HTTP/2 handler remembers the latest
/// hundred resets and ignores such frames; for an older one it takes the server for broken and ends the connection, with
/// every other call on it. So no more than it remembers are ever out: an empty SETTINGS frame follows the first half, and
/// its acknowledgement, which comes after everything the server sent before, makes room. (A ping would do the same, but
/// grpc-go counts pings against a client.)
struct ResetWindow {
    static let capacity = 100

    struct Step: Equatable {
        var send: [HTTP2StreamID] = []
        /// A SETTINGS frame is to follow them.
        var ask = false
    }

    /// Resets sent whose echo may still come.
    private var out = 0
    /// How many of these were sent before the SETTINGS frame that is out.
    private var asked: Int?
    private var queue: Deque<HTTP2StreamID> = []
    private var held: Set<HTTP2StreamID> = []

    /// A stream is to be reset.
    mutating func reset(_ id: HTTP2StreamID) -> Step {
        guard out < Self.capacity else {
            queue.append(id)
            held.insert(id)
            return Step()
        }
        out += 1
        return Step(send: [id], ask: shouldAsk())
    }

    /// A stream ended by itself: its reset is no longer needed.
    mutating func closed(_ id: HTTP2StreamID) {
        if !held.isEmpty { held.remove(id) }
    }

    /// The server has acknowledged the SETTINGS frame.
    mutating func acknowledged() -> Step {
        out -= asked ?? 0
        asked = nil
        var step = Step()
        while out < Self.capacity, let id = queue.popFirst() {
            guard held.remove(id) != nil else { continue }
            step.send.append(id)
            out += 1
        }
        step.ask = shouldAsk()
        return step
    }

    private mutating func shouldAsk() -> Bool {
        guard asked == nil, out >= Self.capacity / 2 else { return false }
        asked = out
        return true
    }
}
