// SPDX-License-Identifier: Apache-2.0

import AgentCore
package import Groundwork
import RPC
package import Telemetry
import Wire

/// Limits how often workloads with the same selectors may call a method.
package struct CallLimits: Sendable {
    private let limiters: [String: RateLimiter]
    private let meter: Meter
    private let ownPID: Int32

    /// - Parameters:
    ///   - perSecond: Calls a second by method name; 0 or missing is no limit.
    ///   - ownPID: The agent's own process, which is never limited.
    package init(perSecond: [String: Int], ownPID: Int32, time: any TimeSource, meter: Meter = .off) {
        self.meter = meter
        limiters = perSecond.filter { $0.value > 0 }.mapValues { RateLimiter(rate: $0, time: time) }
        self.ownPID = ownPID
        for method in limiters.keys { _ = refusals("/SpiffeWorkloadAPI/\(method)") }
    }

    /// - Throws: `Unavailable` when the call comes too soon.
    func admit(_ method: MethodPath, pid: Int32, _ selectors: SelectorSet) throws {
        guard !limiters.isEmpty, pid != ownPID, let limiter = limiters[method.name] else { return }
        let key =
            selectors.isEmpty
            ? "<unattested>" : selectors.selectors.map { "\($0.type)\u{0}\($0.value)\u{0}" }.joined()
        guard limiter.takeNow(key: key) else {
            refusals("\(method)").add()
            throw RPCStatus(.unavailable, "rate limit exceeded for \(method)")
        }
    }

    private func refusals(_ method: String) -> Counter {
        meter.counter(["workload_api", "rate_limit_exceeded"], [("method", method)])
    }
}
