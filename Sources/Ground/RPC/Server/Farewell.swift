// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP2

/// How a server's connection says goodbye so that no call is lost.
///
/// First a GOAWAY that names no last call: the peer is to start no new ones here, but those on their way to us are still
/// served. With it goes a ping, whose answer tells that the peer has read the GOAWAY and that everything it had sent
/// before is here. Only then the GOAWAY that names the last call, and once the calls are over, the end.
/// > Spec: RFC 9113 §6.8.
struct Farewell {
    enum Stage { case none, announced, settled, ending }

    private(set) var stage = Stage.none

    /// The ping whose answer is waited for.
    static let ping = HTTP2PingData(withInteger: 0x62_79_65_62_79_65_21_21)
    /// How long a peer may take to answer it before its silence is taken for the answer.
    static let patience: TimeAmount = .seconds(10)
    /// How long a peer may leave the connection open once nothing is left to do on it.
    static let linger: TimeAmount = .seconds(2)

    /// GOAWAY without an error and with the largest stream number, as bytes. `NIOHTTP2Handler` takes its own GOAWAY for
    /// the last word and refuses every later call, so this one has to pass it by.
    static let announcement = ByteBuffer(bytes: [
        0, 0, 8, 7, 0, 0, 0, 0, 0,
        0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0,
    ])

    /// - Returns: Whether the goodbye begins now.
    mutating func announce() -> Bool {
        guard stage == .none else { return false }
        stage = .announced
        return true
    }

    /// The peer has answered, or has had its time.
    /// - Returns: Whether the last call is to be named now.
    mutating func settle() -> Bool {
        guard stage == .announced else { return false }
        stage = .settled
        return true
    }

    /// - Returns: Whether the connection is to be ended now: it is settled and no call is open.
    mutating func end(openCalls: Int) -> Bool {
        guard stage == .settled, openCalls == 0 else { return false }
        stage = .ending
        return true
    }
}
