// SPDX-License-Identifier: Apache-2.0

import ServiceLifecycle
import Testing

@testable import AgentRuntime

@Suite struct NamedTests {
    private struct Holder: Service {
        let secret: String
        func run() async throws { throw CancellationError() }
    }

    @Test("a part tells its kind and nothing of what it holds, and runs as itself")
    func name() async {
        let part = Named(part: Holder(secret: "private key"))
        #expect("\(part)" == "Holder")
        #expect(String(describing: ServiceGroupConfiguration.ServiceConfiguration(service: part).service) == "Holder")
        await #expect(throws: CancellationError.self) { try await part.run() }
    }
}
