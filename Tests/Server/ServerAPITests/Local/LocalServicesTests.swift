// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import RPC
import SPIFFE
@testable import ServerAPI
import SwiftProtobuf
import Synchronization
import Telemetry
import TestKit
import Testing

@Suite struct LocalServicesTests {
    @Test("a server is healthy once it has a bundle; parts have no health of their own")
    func health() async throws {
        let fixture = try await Fixture()
        let service = HealthService(bundles: fixture.bundles)
        let call = try fixture.call(HealthMethods.check.path)
        #expect(try await service.check(.init(), call).status == .notServing)
        _ = try await fixture.watched.setBundle(TrustBundle(trustDomainID: "spiffe://example.org"))
        #expect(try await service.check(.init(), call).status == .serving)
        let part = await status { _ = try await service.check(.with { $0.service = "x" }, call) }
        #expect(part == RPCStatus(.invalidArgument, "per-service health is not supported"))
    }

    @Test("the log level is shown, changed and put back")
    func logLevel() async throws {
        let fixture = try await Fixture()
        let level = LevelBox()
        let service = LoggerService(
            level: LogLevelControl(launch: .info, current: { level.value }, set: { level.value = $0 }))
        let call = try fixture.call(LoggerMethods.setLogLevel.path)
        let set = try await service.set(.with { $0.newLevel = .trace }, call)
        #expect(set.currentLevel == .trace)
        #expect(set.launchLevel == .info)
        #expect(level.value == .trace)
        #expect(try await service.reset(.init(), call).currentLevel == .info)
        let none = await status { _ = try await service.set(.init(), call) }
        #expect(none == RPCStatus(.invalidArgument, "newLevel value cannot be LogLevel_UNSPECIFIED"))
        let odd = await status { _ = try await service.set(.with { $0.newLevel = .UNRECOGNIZED(99) }, call) }
        #expect(odd == RPCStatus(.invalidArgument, "unsupported log level"))
    }

    @Test("debug numbers are remembered for five seconds")
    func debug() async throws {
        let fixture = try await Fixture()
        let certificate = try TestCertificate.leaf(
            serial: 1, validUntil: fixture.time.now.addingTimeInterval(999))
        let service = DebugService(
            store: fixture.store, bundles: fixture.bundles, time: fixture.time, serverChain: { [certificate.der] })
        let call = try fixture.call(DebugMethods.getInfo.path)
        let without = await status { _ = try await service.getInfo(.init(), call) }
        #expect(without == RPCStatus(.notFound, "trust domain bundle not found"))
        _ = try await fixture.watched.setBundle(TrustBundle(trustDomainID: "spiffe://example.org"))
        let untrusted = await status { _ = try await service.getInfo(.init(), call) }
        #expect(untrusted?.message.hasPrefix("failed verification against bundle: ") == true)
    }
}

private final class LevelBox: Sendable {
    private let state = Mutex(LogLevel.info)
    var value: LogLevel {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
