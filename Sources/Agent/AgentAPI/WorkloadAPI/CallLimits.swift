// SPDX-License-Identifier: Apache-2.0

import AgentCore
package import Groundwork
import RPC
package import Telemetry
import Wire

/// Limits how often workloads with the same selectors may call a method.
package struct CallLimits: Sendable {
    private struct Limit: Sendable {
        let limiter: RateLimiter
        let refusals: Counter
    }

    private let limits: [String: Limit]
    private let ownPID: Int32

    /// - Parameters:
    ///   - perSecond: Calls a second by method name; 0 or missing is no limit.
    ///   - ownPID: The agent's own process, which is never limited.
    package init(perSecond: [String: Int], ownPID: Int32, time: any TimeSource, meter: Meter = .off) {
        let made = perSecond.filter { $0.value > 0 }.map { method, rate in
            let refusals = meter.counter(
                ["workload_api", "rate_limit_exceeded"], [("method", "/SpiffeWorkloadAPI/\(method)")])
            return (method, Limit(limiter: RateLimiter(rate: rate, time: time), refusals: refusals))
        }
        limits = Dictionary(uniqueKeysWithValues: made)
        self.ownPID = ownPID
    }

    /// - Throws: `Unavailable` when the call comes too soon.
    func admit(_ method: MethodPath, pid: Int32, _ selectors: SelectorSet) throws {
        guard !limits.isEmpty, pid != ownPID, let limit = limits[method.name] else { return }
        let key =
            selectors.isEmpty
            ? "<unattested>" : selectors.selectors.map { "\($0.type)\u{0}\($0.value)\u{0}" }.joined()
        guard limit.limiter.takeNow(key: key) else {
            limit.refusals.add()
            throw RPCStatus(.unavailable, "rate limit exceeded for \(method)")
        }
    }
}
