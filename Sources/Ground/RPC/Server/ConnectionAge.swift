// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// When a connection has lasted long enough and is to be asked to end, so that clients spread over servers again.
///
/// Pure: spans count from the connection's beginning, and whoever owns it looks when told to and when a stream ends.
struct ConnectionAge {
    /// For a connection that carries no server-streaming call.
    private let plain: TimeAmount
    /// For one that does.
    private let streaming: TimeAmount

    /// - Returns: `nil` when connections may grow as old as they like.
    init?(_ configuration: RPCServerConfiguration) {
        guard let age = configuration.maximumConnectionAge else { return nil }
        let chance = configuration.chance()
        // ±10 %, as grpc-go; where there are streams, whose clients all come at once when a server starts, ±33 %.
        plain = Self.span(age, 0.9 + 0.2 * chance)
        streaming = configuration.maximumStreamingAge.map { Self.span($0, (2 + 2 * chance) / 3) } ?? plain
    }

    private static func span(_ age: TimeAmount, _ factor: Double) -> TimeAmount {
        .nanoseconds(Int64(Double(age.nanoseconds) * factor))
    }

    /// - Parameter streams: Server-streaming calls that are open.
    func isOver(after elapsed: TimeAmount, streams: Int) -> Bool {
        elapsed >= (streams > 0 ? streaming : plain)
    }

    /// When to look next; `nil` when time alone changes nothing more.
    func nextLook(after elapsed: TimeAmount) -> TimeAmount? {
        [plain, streaming].filter { $0 > elapsed }.min()
    }
}
