// SPDX-License-Identifier: Apache-2.0

import Authority
import FoundationEssentials
import Groundwork
import Issuance
import Logging
import SPIFFE
import Synchronization
import TestKit
import Testing

@testable import ServerRuntime

@Suite struct ServerSVIDRotatorTests {
    @Test("the server's certificate is replaced once half of its lifetime is over, and the key with it")
    func half() async throws {
        let time = ManualClock()
        let rotator = rotator(time)
        #expect(rotator.identity == nil)
        try await rotator.rotateIfDue()
        #expect(rotator.chain == [[1]])
        time.advance(by: .seconds(299))
        try await rotator.rotateIfDue()
        #expect(rotator.chain == [[1]])
        time.advance(by: .seconds(1))
        try await rotator.rotateIfDue()
        #expect(rotator.chain == [[2]])
    }

    @Test("a certificate dated by a clock that was ahead is replaced once the clock is right")
    func clockStep() async throws {
        let time = ManualClock()
        let rotator = rotator(time)
        try await rotator.rotateIfDue()
        time.step(by: .seconds(-9))
        try await rotator.rotateIfDue()
        #expect(rotator.chain == [[1]])
        time.step(by: .seconds(-7200))
        try await rotator.rotateIfDue()
        #expect(rotator.chain == [[2]])
    }

    private func rotator(_ time: ManualClock) -> ServerSVIDRotator {
        ServerSVIDRotator(
            issuer: CountingIssuer(time: time), keyType: .ecP256, lane: BlockingLane("test", width: 1), time: time,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

/// Signs nothing real; each certificate lives ten minutes.
private final class CountingIssuer: SVIDIssuer {
    private let time: ManualClock
    private let count = Mutex<UInt8>(0)
    init(time: ManualClock) { self.time = time }

    func serverX509SVID(publicKey: PublicKeyInfo) async throws -> IssuedX509SVID {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return IssuedX509SVID(
            chain: [[number]], id: try SPIFFEID("spiffe://example.org/spire/server"),
            expiresAt: time.now.addingTimeInterval(600), serialNumber: "1")
    }

    func workloadX509SVID(
        id: SPIFFEID, publicKey: PublicKeyInfo, dnsNames: [String], ttl: Int32, subject: [UInt8]?
    ) async throws -> IssuedX509SVID { throw SpireError(.internal, "not asked for") }
    func agentX509SVID(id: SPIFFEID, publicKey: PublicKeyInfo) async throws -> IssuedX509SVID {
        throw SpireError(.internal, "not asked for")
    }
    func downstreamX509CA(publicKey: PublicKeyInfo, ttl: Int32) async throws -> [[UInt8]] {
        throw SpireError(.internal, "not asked for")
    }
    func jwtSVID(
        id: SPIFFEID, audience: [String], ttl: Int32, includeJTI: Bool
    ) async throws -> IssuedToken { throw SpireError(.internal, "not asked for") }
    func witSVID(id: SPIFFEID, key: ConfirmationKey, ttl: Int32) async throws -> IssuedToken {
        throw SpireError(.internal, "not asked for")
    }
}
