// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Telemetry

/// What is counted about an agent's way to its identity, under the original's names.
package struct BootstrapMeters: Sendable {
    private let meter: Meter
    private let bootstrapped: Gauge

    package static let off = BootstrapMeters(.off)

    package init(_ meter: Meter) {
        self.meter = meter
        bootstrapped = meter.gauge(["bootstrapped"])
    }

    /// Node attestation of one kind.
    func attestation(_ attestor: String) -> CallCounter {
        meter.call(["node", "attestor", "new_svid"], [("attestor", attestor)])
    }

    /// The bundle came from the bootstrap source.
    func attempted(_ use: AgentData.BootstrapUse, attempts: Int, since start: Date?, now: Date) {
        guard meter.isOn else { return }
        let labels = [("mode", use == .rebootstrap ? "rebootstrap" : "bootstrap")]
        meter.gauge(["bootstrap_attempts"], labels).set(Double(attempts))
        meter.gauge(["bootstrap_seconds"], labels).set(start.map { now.timeIntervalSince($0) } ?? 0)
    }

    func enrolled() { bootstrapped.set(1) }
}
