// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// What keeps strangers from holding memory or connections.
package struct WebLimits: Sendable {
    /// Most connections at once; further ones are closed on accept.
    package var maximumConnections = 256
    /// Most bytes of a request's line and headers.
    package var maximumHeadBytes = 16 << 10
    /// Most bytes of a request's body; more is answered with 413.
    package var maximumBodyBytes = 0
    /// How long a TLS handshake and the whole first request may take.
    package var requestTimeout: TimeAmount = .seconds(10)
    /// How long an answer may take to be made and to be taken by the peer.
    package var answerTimeout: TimeAmount = .seconds(60)
    /// How long a connection may wait for its next request, that request's arrival included.
    package var idleTimeout: TimeAmount = .seconds(75)

    package init() {}
}
