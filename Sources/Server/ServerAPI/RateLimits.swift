// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import NIOCore
import RPC
import Telemetry
package import Wire

/// The server's token buckets, kept by client IP address.
package struct RateLimits: Sendable {
    private let limiters: [RateBucket: RateLimiter]
    private let counters: MethodCounters
    private let time: any TimeSource

    /// - Parameters:
    ///   - enabled: Buckets that limit; the others let everything through.
    ///   - counters: Told how long each method's callers had to wait.
    package init(
        enabled: Set<RateBucket> = Set(RateBucket.allCases), time: any TimeSource, counters: MethodCounters = .off
    ) {
        self.counters = counters
        self.time = time
        limiters = Dictionary(uniqueKeysWithValues: enabled.map { ($0, RateLimiter(rate: $0.rate, time: time)) })
    }

    /// Takes `cost` tokens, waiting for them up to `deadline`.
    /// - Throws: `RPCStatus`, resource exhausted.
    func draw(
        _ bucket: RateBucket, for method: MethodPath, address: String, cost: Int, deadline: NIODeadline?
    ) async throws {
        guard cost > 0, let limiter = limiters[bucket] else { return }
        let patience = deadline.map { Duration.nanoseconds(($0 - .now()).nanoseconds) }
        try await counters[method].measure(time) {
            try await limiter.wait(cost, key: Self.host(of: address), timeout: patience)
        }
    }

    /// The address without its port.
    static func host(of address: String) -> String {
        guard let colon = address.lastIndex(of: ":") else { return address }
        return String(address[..<colon])
    }
}
