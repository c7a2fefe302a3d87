// SPDX-License-Identifier: Apache-2.0

import SPIFFE
import Telemetry

/// What is counted about foreign bundles, under the original's names.
struct FederationMeters: Sendable {
    private let meter: Meter

    init(_ meter: Meter) { self.meter = meter }

    /// Makes what a trust domain's polls are counted with, so that it is shown before the first.
    func begin(_ trustDomain: TrustDomain) {
        _ = fetches(trustDomain)
        _ = updates(trustDomain)
    }

    func fetches(_ trustDomain: TrustDomain) -> CallCounter {
        meter.call(["bundle_manager", "fetch", "federated_bundle"], label(trustDomain))
    }

    func updates(_ trustDomain: TrustDomain) -> Counter {
        meter.counter(["bundle_manager", "update", "federated_bundle"], label(trustDomain))
    }

    private func label(_ trustDomain: TrustDomain) -> [(String, String)] { [("trust_domain_id", trustDomain.name)] }
}
