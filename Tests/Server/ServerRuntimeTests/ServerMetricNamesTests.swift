// SPDX-License-Identifier: Apache-2.0

import Groundwork
import SPIFFE
import Telemetry
import TestKit
import Testing

@testable import ServerRuntime

@Suite(.serialized) struct ServerMetricNamesTests {
    @Test("every metric of the reference is made by a running server, or named as missing in Compatibility.md")
    func names() async throws {
        let text = try ReferenceMetrics.compatibility()
        try await ServerLab.run(
            configure: { config in
                config.telemetry.inMemory = true
                config.nodePruning = .init(expiredFor: .seconds(3600))
                guard let other = try? TrustDomain("other.test") else { return }
                config.federation = .init()
                config.federation?.federatesWith = [
                    .init(trustDomain: other, bundleEndpointURL: "https://127.0.0.1:1/", profile: .httpsWeb)
                ]
            }
        ) { lab in
            // Named by the loop that reports it, which may not have begun.
            let made = lab.parts.meter.names.union(["uptime_in_ms"])
            let missing = ReferenceMetrics.missing(ReferenceMetrics.server, from: made, toldIn: text)
            #expect(missing.isEmpty, "\(missing)")
        }
    }

    @Test("a name that is neither made nor told of is found missing")
    func finds() {
        let missing = ReferenceMetrics.missing(["a.b", "c", "d"], from: ["a.b"], toldIn: "| `c` | later |")
        #expect(missing == ["d"])
    }
}
