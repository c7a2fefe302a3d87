// SPDX-License-Identifier: Apache-2.0

import APIProtos
import AgentCore
import FoundationEssentials
import Groundwork
import Issuance
import PluginAPI
import RPC
import SPIFFE
import SwiftProtobuf
import Synchronization
import TestKit
import Testing

struct IdentityKeeperTests {
    private func permissionDenied(_ reason: Spire_Api_Types_PermissionDeniedDetails.Reason) throws -> RPCStatus {
        var details = Spire_Api_Types_PermissionDeniedDetails()
        details.reason = reason
        return RPCStatus(
            .permissionDenied, "authorization denied for method /x",
            details: [
                .init(
                    typeURL: "type.googleapis.com/spire.api.types.PermissionDeniedDetails",
                    value: try details.serializedBytes())
            ])
    }

    @Test("after the first synchronisation identities are there, and the state is on disk")
    func initialize() async throws {
        let rig = try await Rig(entries: [entry("a")]) { $0.version = "1.16.0" }
        try await rig.keeper.initialize()
        let update = rig.keeper.update(for: selectors("unix:uid:1"))
        #expect(update.identities.map(\.entry.id) == ["a"])
        let svid = try #require(update.identities.first?.svid)
        let leaf = try CertificateSummary(svid.chain[0])
        #expect(leaf.uris == ["spiffe://example.org/web"])
        let key = try LocalKey(pkcs8: svid.privateKey.reveal { $0 })
        #expect(key.publicKey.spki == leaf.spki)
        #expect(rig.storage.data.svid == rig.keeper.agentSVID.chain)
        #expect(rig.storage.data.bundle == rig.keeper.authorities)
        #expect(rig.server.state.withLock { $0.versions } == ["1.16.0"])
        #expect(rig.keeper.lastSync == rig.clock.now)
    }

    @Test("a workload whose entry was not signed yet gets it at once, not at the next synchronisation")
    func prompt() async throws {
        let rig = try await Rig(entries: [entry("a", skipsPrefetch: true)])
        try await rig.keeper.initialize()
        #expect(rig.keeper.counts.x509 == 0)
        try await rig.running { rig in
            let subscription = rig.keeper.subscribe(selectors("unix:uid:1"))
            var updates = subscription.updates()
            let update = await updates.next()
            #expect(update?.identities.count == 1)
            subscription.cancel()
        }
        #expect(rig.server.state.withLock { $0.synchronizations } == 1)
    }

    @Test("while the server is away everything cached is served, and the agent catches up when it is back")
    func serverAway() async throws {
        let rig = try await Rig(entries: [entry("a")])
        try await rig.keeper.initialize()
        try await rig.running { rig in
            let subscription = rig.keeper.subscribe(selectors("unix:uid:1"))
            var updates = subscription.updates()
            _ = await updates.next()
            rig.server.state.withLock { $0.failure = RPCStatus(.unavailable, "connection refused") }
            await rig.server.nextSynchronization()
            for _ in 0..<3 {
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(300))
                await rig.server.nextSynchronization()
            }
            #expect(rig.keeper.update(for: selectors("unix:uid:1")).identities.count == 1)
            rig.server.state.withLock {
                $0.failure = nil
                $0.entries = [entry("a"), entry("b", "/second")]
            }
            await rig.clock.sleepers(2)
            rig.clock.advance(by: .seconds(300))
            let update = await updates.next()
            #expect(update?.identities.map(\.entry.id) == ["a", "b"])
            subscription.cancel()
        }
    }

    @Test("an SVID past half of its life is replaced, and open streams get the new one")
    func rotation() async throws {
        let rig = try await Rig(entries: [entry("a")], agentLifetime: 100_000)
        rig.server.state.withLock { $0.lifetime = 60 }
        try await rig.keeper.initialize()
        try await rig.running { rig in
            let subscription = rig.keeper.subscribe(selectors("unix:uid:1"))
            var updates = subscription.updates()
            let first = await updates.next()?.identities.first?.svid
            await rig.server.nextSynchronization()
            await rig.clock.sleepers(2)
            rig.clock.advance(by: .seconds(40))
            let second = await updates.next()?.identities.first?.svid
            #expect(first?.chain != second?.chain)
            #expect(second.map { $0.notAfter == rig.clock.now.addingTimeInterval(60) } == true)
            subscription.cancel()
        }
    }

    @Test("the agent renews its own SVID with a key in the other slot, stores it and reconnects")
    func agentRotation() async throws {
        let rig = try await Rig(agentLifetime: 60)
        try await rig.keeper.initialize()
        let old = rig.keeper.agentSVID
        try await rig.running { rig in
            await rig.clock.sleepers(2)
            rig.clock.advance(by: .seconds(45))
            while rig.server.state.withLock({ $0.reconnects }) == 0 { await Task.yield() }
        }
        let new = rig.keeper.agentSVID
        #expect(new.key.id == "agent-svid-B" && new.chain != old.chain)
        #expect(rig.storage.data.svid == new.chain)
    }

    @Test("an agent that starts with an SVID past half of its life renews it before it waits for anything")
    func lateStart() async throws {
        let rig = try await Rig(agentLifetime: 60)
        rig.clock.advance(by: .seconds(45))
        try await rig.keeper.initialize()
        try await rig.running { rig in
            while rig.server.state.withLock({ $0.reconnects }) == 0 { await Task.yield() }
        }
        #expect(rig.keeper.agentSVID.key.id == "agent-svid-B")
    }

    @Test("an agent whose SVID ends while it cannot be renewed gives up with a reason")
    func agentExpired() async throws {
        let rig = try await Rig(agentLifetime: 60)
        try await rig.keeper.initialize()
        rig.server.state.withLock { $0.failure = RPCStatus(.unavailable, "connection refused") }
        await #expect(throws: SpireError(.svidExpired, "")) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                let keeper = rig.keeper
                group.addTask { try await keeper.run() }
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(100))
                try await group.next()
            }
        }
    }

    @Test("a server whose clock is ahead does not make an agent throw its SVID away")
    func wrongClock() async throws {
        let rig = try await Rig(entries: [entry("a")])
        try await rig.keeper.initialize()
        let status = try permissionDenied(.agentExpired)
        try await rig.running { rig in
            rig.server.state.withLock { $0.failure = status }
            for _ in 0..<2 {
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(10))
                await rig.server.nextSynchronization()
            }
            #expect(!rig.storage.data.svid.isEmpty)
            rig.server.state.withLock { $0.failure = nil }
            await rig.clock.sleepers(2)
            rig.clock.advance(by: .seconds(30))
            await rig.server.nextSynchronization()
        }
        #expect(rig.storage.data.svid == rig.keeper.agentSVID.chain)
        #expect(Verdict(status, hasExpired: true) == .reattest)
    }

    @Test("a banned agent removes its SVID and ends")
    func banned() async throws {
        let rig = try await Rig()
        rig.server.state.withLock { $0.failure = nil }
        try await rig.keeper.initialize()
        let status = try permissionDenied(.agentBanned)
        rig.server.state.withLock { $0.failure = status }
        await rig.clock.sleepers(0)
        await #expect(throws: SpireError(.banned, "")) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                let keeper = rig.keeper
                group.addTask { try await keeper.run() }
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(6))
                try await group.next()
            }
        }
        #expect(rig.storage.data.svid.isEmpty)
    }

    @Test("an evicted agent that cannot attest again removes its SVID and ends, at start as well")
    func evicted() async throws {
        let rig = try await Rig()
        let status = try permissionDenied(.agentNotAttested)
        rig.server.state.withLock { $0.failure = status }
        await #expect(throws: SpireError(.notAttested, "")) { try await rig.keeper.initialize() }
        #expect(rig.storage.data.svid.isEmpty)
    }

    @Test("permission denied without a reason does not end the agent")
    func plainDenial() {
        #expect(Verdict(RPCStatus(.permissionDenied, "no")) == .goOn)
        #expect(Verdict(RPCStatus(.unavailable, "away")) == .goOn)
    }

    @Test("a server nobody vouches for ends an agent that may not rebootstrap")
    func untrusted() async throws {
        let rig = try await Rig()
        try await rig.keeper.initialize()
        rig.server.state.withLock {
            $0.failure = SpireError(.serverUntrusted, "x509: certificate signed by unknown authority")
        }
        await #expect(throws: SpireError(.serverUntrusted, "")) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                let keeper = rig.keeper
                group.addTask { try await keeper.run() }
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(6))
                try await group.next()
            }
        }
    }

    @Test("signing goes in batches of 500, and after a failure in smaller ones")
    func batches() async throws {
        let many = (0..<1100).map { entry("e\($0)", "/w\($0)", selectors("unix:uid:\($0)")) }
        let rig = try await Rig(entries: many) { $0.x509CacheLimit = 5000 }
        rig.server.state.withLock { $0.signFailure = RPCStatus(.resourceExhausted, "too much") }
        await #expect(throws: SpireError.self) { try await rig.keeper.synchronize() }
        rig.server.state.withLock { $0.signFailure = nil }
        try await rig.keeper.synchronize()
        #expect(rig.server.state.withLock { $0.batches } == [500, 250, 250, 500, 100])
        #expect(rig.keeper.counts.x509 == 1100)
    }

    @Test("a token is reused until half of its life, renewed then, and served while no new one is to be had")
    func tokens() async throws {
        let rig = try await Rig(entries: [entry("a")])
        try await rig.keeper.initialize()
        let web = entry("a")
        #expect(try await rig.keeper.jwt(for: web, audience: ["x"]).token == "token1")
        #expect(try await rig.keeper.jwt(for: web, audience: ["x"]).token == "token1")
        #expect(try await rig.keeper.jwt(for: web, audience: ["y"]).token == "token2")
        rig.clock.advance(by: .seconds(200))
        rig.server.state.withLock { $0.failure = RPCStatus(.unknown, "away") }
        #expect(try await rig.keeper.jwt(for: web, audience: ["x"]).token == "token1")
        rig.server.state.withLock { $0.failure = nil }
        #expect(try await rig.keeper.jwt(for: web, audience: ["x"]).token == "token3")
        rig.clock.advance(by: .seconds(400))
        rig.server.state.withLock { $0.failure = RPCStatus(.unknown, "away") }
        await #expect(throws: SpireError(.jwtUnavailable, "")) { try await rig.keeper.jwt(for: web, audience: ["x"]) }
    }

    @Test("SVIDs of a tainted authority are replaced, and the agent's own with them")
    func tainted() async throws {
        let rig = try await Rig(entries: [entry("a")], agentLifetime: 100_000)
        try await rig.keeper.initialize()
        try await rig.running { rig in
            let subscription = rig.keeper.subscribe(selectors("unix:uid:1"))
            var updates = subscription.updates()
            let first = await updates.next()?.identities.first?.svid
            rig.server.state.withLock { state in
                state.bundle = TrustBundle(
                    trustDomain: domain,
                    x509Authorities: state.bundle.x509Authorities.map { .init(der: $0.der, isTainted: true) })
            }
            await rig.server.nextSynchronization()
            await rig.clock.sleepers(2)
            rig.clock.advance(by: .seconds(6))
            var now = await updates.next()
            while now?.identities.first?.svid.chain == first?.chain { now = await updates.next() }
            #expect(now?.bundle.x509Authorities.first?.isTainted == true)
            while rig.server.state.withLock({ $0.reconnects }) == 0 {
                await rig.clock.sleepers(1)
                rig.clock.advance(by: .seconds(6))
                await Task.yield()
            }
            subscription.cancel()
        }
        #expect(rig.keeper.agentSVID.key.id == "agent-svid-B")
    }
}

struct WakeSignalTests {
    @Test("a raise before the wait is not lost, and two raises are one")
    func raises() async throws {
        let signal = WakeSignal()
        signal.raise()
        signal.raise()
        #expect(await signal.wait())
        #expect(!signal.take())
    }
}
