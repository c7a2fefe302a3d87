// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import Synchronization
import TestKit
import Testing

@testable import Telemetry

@Suite("HealthMonitor")
struct HealthMonitorTests {
    @Test("asks every second until all is well, then every minute, and shows what failed until it recovers")
    func pace() async {
        let error = Mutex<String?>("not yet")
        let registry = HealthRegistry(parts: ["part"])
        let monitor = HealthMonitor(
            [
                HealthCheck("part") {
                    guard let text = error.withLock({ $0 }) else { return .healthy }
                    return HealthState(isLive: false, isReady: false, details: ["err": text])
                }
            ], registry: registry, time: ManualClock(), logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() })
        var progress = monitor.start
        #expect(await monitor.round(&progress) == .seconds(1))
        #expect(registry.body == "{\"part\":{\"err\":\"not yet\"}}\n")
        error.withLock { $0 = nil }
        #expect(await monitor.round(&progress) == .seconds(60))
        #expect(registry.isLive && registry.isReady)
        error.withLock { $0 = "gone" }
        #expect(await monitor.round(&progress) == .seconds(60))
        #expect(!registry.isReady)
    }

    @Test("a part that does not answer within a minute is not well")
    func silent() async {
        let clock = ManualClock()
        let registry = HealthRegistry(parts: ["part"])
        let monitor = HealthMonitor(
            [
                HealthCheck("part") {
                    try? await clock.sleep(for: .seconds(3600))
                    return .healthy
                }
            ], registry: registry, time: clock, logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() })
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var progress = monitor.start
                _ = await monitor.round(&progress)
            }
            _ = await clock.sleepers(2)
            clock.advance(by: .seconds(60))
        }
        #expect(registry.body.contains("did not end in time"))
    }

    @Test("a part that cannot have details is shown as null")
    func null() {
        let registry = HealthRegistry(parts: ["agent"])
        var state = HealthState.healthy
        state.hasDetails = false
        registry.report("agent", state)
        #expect(registry.body == "{\"agent\":null}\n")
    }
}
