// SPDX-License-Identifier: Apache-2.0

import RPC
import Testing

@testable import SPIFFEWorkloadAPI

@Suite struct ReconnectionTests {
    let unavailable = WorkloadAPIFailure(RPCStatus(.unavailable, "connection refused"))

    @Test("waits double from one second to thirty")
    func growth() {
        var reconnection = Reconnection()
        let waits = (0..<8).map { _ in reconnection.streamEnded(unavailable, lived: nil, chance: 0) }
        #expect(waits == [1, 2, 4, 8, 16, 30, 30, 30].map { .retry(after: .seconds($0)) })
    }

    @Test("waits differ by at most a tenth")
    func jitter() {
        var reconnection = Reconnection()
        #expect(reconnection.streamEnded(nil, lived: nil, chance: 1) == .retry(after: .milliseconds(1100)))
        #expect(reconnection.streamEnded(nil, lived: nil, chance: -1) == .retry(after: .milliseconds(1800)))
    }

    @Test("a stream that worked is taken up again at once, and the waits start over")
    func established() {
        var reconnection = Reconnection()
        for _ in 0..<5 { _ = reconnection.streamEnded(unavailable, lived: nil, chance: 0) }
        #expect(reconnection.streamEnded(unavailable, lived: .seconds(60), chance: 0) == .retry(after: .zero))
        #expect(reconnection.streamEnded(unavailable, lived: nil, chance: 0) == .retry(after: .seconds(1)))
    }

    @Test("a stream that ends as soon as it has begun is no reason to hurry")
    func shortLived() {
        var reconnection = Reconnection()
        for _ in 0..<3 {
            #expect(reconnection.streamEnded(nil, lived: .milliseconds(1), chance: 0) == .retry(after: .seconds(1)))
        }
    }

    @Test("a request that is wrong is not repeated; any other refusal is")
    func final() {
        for code in StatusCode.allCases where code != .ok {
            var reconnection = Reconnection()
            let decision = reconnection.streamEnded(WorkloadAPIFailure(RPCStatus(code, "")), lived: nil, chance: 0)
            #expect(decision == (code == .invalidArgument ? .giveUp : .retry(after: .seconds(1))))
        }
    }
}
