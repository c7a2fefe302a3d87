// SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite struct HealthRegistryTests {
    @Test("a program is unhealthy until every part has said that it is well")
    func starting() {
        let registry = HealthRegistry(parts: ["server", "server.ca"])
        #expect(!registry.isLive && !registry.isReady)
        registry.report("server", .healthy)
        #expect(!registry.isReady)
        registry.report("server.ca", .healthy)
        #expect(registry.isLive && registry.isReady)
        #expect(registry.body == "{\"server\":{},\"server.ca\":{}}\n")
    }

    @Test("what is wrong is shown by part")
    func details() {
        let registry = HealthRegistry(parts: ["agent"])
        let details = ["make_new_x509_err": "is \"off\""]
        registry.report("agent", HealthState(isLive: true, isReady: false, details: details))
        #expect(registry.isLive && !registry.isReady)
        #expect(registry.body == "{\"agent\":{\"make_new_x509_err\":\"is \\\"off\\\"\"}}\n")
    }
}
