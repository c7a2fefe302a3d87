// SPDX-License-Identifier: Apache-2.0

/// Why no connection came about, as those who make channels report it.
package struct ConnectFailure: Error, Sendable, CustomStringConvertible {
    /// How far it got.
    package enum Phase: Sendable { case dialing, handshake }

    package let phase: Phase
    /// The reason in Go's form, such as `dial unix /run/x.sock: connect: connection refused`.
    package let description: String

    package init(_ phase: Phase, _ description: String) {
        self.phase = phase
        self.description = description
    }
}

extension RPCStatus {
    /// A failed attempt to connect, in grpc-go's words.
    init(connecting error: any Error) {
        switch error {
        case let status as RPCStatus:
            self = status
        case let failure as ConnectFailure where failure.phase == .handshake:
            self.init(
                .unavailable,
                "connection error: desc = \"transport: authentication handshake failed: \(failure.description)\"")
        default:
            self.init(.unavailable, "connection error: desc = \"transport: Error while dialing: \(error)\"")
        }
    }
}
