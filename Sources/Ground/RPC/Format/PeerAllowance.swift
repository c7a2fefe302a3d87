// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// How much of something unasked-for a peer may do: a bucket that what we send and the passing time refill.
///
/// grpc-go probes the bandwidth with a ping for what it receives, once a round trip, which on a Unix socket is thousands
/// a second; clients with a short keepalive ping a hundred times a second. A flood does neither in step with our answers.
struct PeerAllowance {
    private let capacity: Int
    private let perSecond: Int
    private var left: Int
    private var refilled: NIODeadline

    init(capacity: Int, perSecond: Int, now: NIODeadline) {
        self.capacity = capacity
        self.perSecond = perSecond
        left = capacity
        refilled = now
    }

    /// Gives one back for a frame that we sent.
    mutating func earn() { if left < capacity { left += 1 } }

    /// Takes one.
    /// - Returns: `false` once there is nothing left.
    mutating func spend(now: @autoclosure () -> NIODeadline) -> Bool {
        if left <= capacity / 2 {
            let now = now()
            let gained = (now - refilled).nanoseconds / 1_000 * Int64(perSecond) / 1_000_000
            if gained > 0 {
                left = min(capacity, left + Int(min(gained, Int64(capacity))))
                refilled = now
            }
        }
        left -= 1
        return left >= 0
    }
}
