// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Logging
import NIOCore
import NIOPosix
import RPC
import SwiftProtobuf
import Synchronization
import Telemetry
import TestKit
import Testing
import Wire
import WorkloadProtos

@testable import AgentRuntime

extension AgentEndToEndTests {
    @Test("every metric of the reference is made by a running agent, or named as missing in Compatibility.md")
    func metricNames() async throws {
        let server = try await SmallServer()
        server.state.withLock {
            $0.tokens = ["secret-token"]
            $0.entries = [SmallServer.entry("a", "/web", "unix:uid:\(getuid())")]
        }
        let place = try Place()
        try AtomicFile.write(Array(server.bundlePEM.utf8), to: place.path + "/bundle.pem")
        var telemetry = TelemetryConfig()
        telemetry.inMemory = true
        let metrics = MetricSystem(
            telemetry, program: "spire_agent", trustDomain: "example.org", version: "1", time: SystemTime(),
            lane: BlockingLane("test.metrics", width: 1), logger: .init(label: "test"))
        let text = try ReferenceMetrics.compatibility()
        try await server.run { port in
            let config = try config(
                place, port: port,
                """
                trust_bundle_path = "\(place.path)/bundle.pem"
                join_token = "secret-token"
                experimental { ratelimit { fetch_x509_svid = 1000 } }
                """)
            try await agent(config, instruments: Instruments(meter: metrics.meter, tracer: .off)) { client in
                let count = try await x509(client).svids.count
                #expect(count == 1)
                // Named by the loop that reports it, which a test need not run.
                let made = metrics.meter.names.union(["uptime_in_ms"])
                let missing = ReferenceMetrics.missing(ReferenceMetrics.agent, from: made, toldIn: text)
                #expect(missing.isEmpty, "\(missing)")
            }
        }
    }
}
