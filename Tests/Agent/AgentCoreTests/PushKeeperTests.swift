// SPDX-License-Identifier: Apache-2.0

import APIProtos
import AgentCore
import FoundationEssentials
import Groundwork
import RPC
import SPIFFE
import SwiftProtobuf
import Synchronization
import TestKit
import Testing

/// The keeper with a server that pushes.
struct PushKeeperTests {
    private func digest(_ entries: AgentEntry...) -> SetDigest {
        entries.reduce(into: SetDigest()) { $0.add($1.version) }
    }

    private func change(
        _ entries: AgentEntry..., removed: [String] = [], digest: SetDigest? = nil, revision: UInt64 = 1
    ) -> EntryPush.Change {
        var change = EntryPush.Change()
        change.entries = entries
        change.removed = removed
        change.digest = digest
        change.position = .init(epoch: 9, revision: revision)
        return change
    }

    @Test("a pushed entry is signed and with the workload at once, without a poll and without the clock")
    func prompt() async throws {
        let rig = try await Rig(entries: [entry("a")], pushes: true)
        try await rig.keeper.initialize()
        try await rig.running { rig in
            let subscription = rig.keeper.subscribe(selectors("unix:uid:1"))
            var updates = subscription.updates()
            #expect(await updates.next()?.identities.map(\.entry.id) == ["a"])
            await rig.server.nextStream()
            #expect(rig.server.state.withLock { $0.streams[0].held } == digest(entry("a")))
            rig.server.state.withLock { $0.entries.append(entry("b", "/second")) }
            rig.server.push(.change(change(digest: digest(entry("a")))), .change(change(entry("b", "/second"))))
            #expect(await updates.next()?.identities.map(\.entry.id) == ["a", "b"])
            rig.server.push(.change(change(removed: ["a", "unknown"])))
            #expect(await updates.next()?.identities.map(\.entry.id) == ["b"])
            subscription.cancel()
        }
        #expect(rig.server.state.withLock { $0.synchronizations } == 1)
    }

    @Test("while changes come by themselves nothing is polled, and SVIDs are renewed all the same")
    func renewal() async throws {
        let rig = try await Rig(entries: [entry("a")], agentLifetime: 1_000_000, pushes: true)
        rig.server.state.withLock { $0.lifetime = 60 }
        try await rig.keeper.initialize()
        try await rig.running { rig in
            let subscription = rig.keeper.subscribe(selectors("unix:uid:1"))
            var updates = subscription.updates()
            let first = await updates.next()?.identities.first?.svid
            await rig.server.nextStream()
            rig.server.push(.change(change(digest: digest(entry("a")))))
            // The keeper has gone over to renewing by itself.
            while rig.keeper.lastSync != rig.clock.now { await Task.yield() }
            var second = first
            while second?.chain == first?.chain {
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(6))
                if rig.clock.now > epoch.addingTimeInterval(36) { second = await updates.next()?.identities.first?.svid }
            }
            subscription.cancel()
        }
        #expect(rig.server.state.withLock { $0.synchronizations } == 1)
    }

    @Test("when the stream ends everything stays, the poll goes on, and the next stream resumes")
    func streamEnds() async throws {
        let rig = try await Rig(entries: [entry("a")], pushes: true)
        try await rig.keeper.initialize()
        try await rig.running { rig in
            await rig.server.nextStream()
            rig.server.push(
                .change(change(digest: digest(entry("a")), revision: 5)), .end(RPCStatus(.unavailable, "restarting")))
            await rig.clock.sleepers(3)
            #expect(rig.keeper.update(for: selectors("unix:uid:1")).identities.count == 1)
            rig.clock.advance(by: .seconds(2))
            await rig.server.nextStream()
            let start = rig.server.state.withLock { $0.streams[1] }
            #expect(start.held == digest(entry("a")))
            if rig.server.state.withLock({ $0.synchronizations }) == 1 {
                #expect(start.position == .init(epoch: 9, revision: 5))
            }
            rig.server.state.withLock { $0.failure = RPCStatus(.unavailable, "away") }
            rig.server.push(.end(RPCStatus(.unavailable, "away")))
            for _ in 0..<4 {
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(60))
            }
            #expect(rig.keeper.update(for: selectors("unix:uid:1")).identities.count == 1)
        }
    }

    @Test("a server that knows no streams is polled as ever")
    func unsupported() async throws {
        let rig = try await Rig(entries: [entry("a")], pushes: true)
        rig.server.pushes.withLock { $0 = nil }
        try await rig.keeper.initialize()
        try await rig.running { rig in
            await rig.server.nextSynchronization()
            for _ in 0..<3 {
                await rig.clock.sleepers(3)
                rig.clock.advance(by: .seconds(6))
                await rig.server.nextSynchronization()
            }
        }
        #expect(rig.server.state.withLock { $0.streams.isEmpty })
        #expect(rig.server.state.withLock { $0.synchronizations } >= 4)
    }

    @Test("a digest that does not match is answered by asking for everything")
    func mismatch() async throws {
        let rig = try await Rig(entries: [entry("a")], pushes: true)
        try await rig.keeper.initialize()
        try await rig.running { rig in
            await rig.server.nextStream()
            rig.server.push(.change(change(digest: digest(entry("a"), entry("b")))))
            await rig.server.nextStream()
            #expect(rig.server.state.withLock { $0.streams[1] } == EntryPush.Start())
            rig.server.state.withLock { $0.entries.append(entry("b", "/second")) }
            var everything = change(entry("a"), entry("b", "/second"), digest: digest(entry("a"), entry("b")))
            everything.isComplete = true
            rig.server.push(.change(everything))
            while rig.keeper.update(for: selectors("unix:uid:1")).identities.count < 2 { await Task.yield() }
        }
        #expect(rig.server.state.withLock { $0.streams.count } == 2)
    }

    @Test("a server whose digests never match is polled, and not asked for everything over and over")
    func hopeless() async throws {
        let rig = try await Rig(entries: [entry("a")], pushes: true)
        try await rig.keeper.initialize()
        // Taken now: two that nobody waits for count as one.
        await rig.server.nextSynchronization()
        try await rig.running { rig in
            await rig.server.nextStream()
            rig.server.push(.change(change(digest: digest())))
            await rig.server.nextStream()
            var everything = change(entry("a"), digest: digest())
            everything.isComplete = true
            rig.server.push(.change(everything))
            await rig.server.nextSynchronization()
            await rig.clock.sleepers(3)
            rig.clock.advance(by: .seconds(300))
            await rig.server.nextSynchronization()
            #expect(rig.server.state.withLock { $0.streams.count } == 2)
        }
        #expect(rig.keeper.update(for: selectors("unix:uid:1")).identities.count == 1)
    }

    @Test("entries that break a rule are not used and do not count as missing")
    func rejected() async throws {
        let rig = try await Rig(entries: [entry("a")], pushes: true)
        try await rig.keeper.initialize()
        try await rig.running { rig in
            await rig.server.nextStream()
            var bad = change(digest: digest(entry("a"), entry("x", revision: 4)))
            bad.rejected = [.init(id: "x", number: 4, createdAt: 0)]
            rig.server.push(.change(bad))
            rig.server.push(.change(change(digest: digest(entry("a"), entry("x", revision: 4)))))
            // Known to the server before the agent may ask for its signature.
            rig.server.state.withLock { $0.entries.append(entry("b", "/second")) }
            rig.server.push(.change(change(entry("b", "/second"), digest: digest(entry("a"), entry("x", revision: 4), entry("b")))))
            while rig.keeper.update(for: selectors("unix:uid:1")).identities.count < 2 { await Task.yield() }
        }
        #expect(rig.server.state.withLock { $0.streams.count } == 1)
    }

    @Test("an agent that is banned while its stream is open ends, by what the next synchronisation says")
    func banned() async throws {
        var details = Spire_Api_Types_PermissionDeniedDetails()
        details.reason = .agentBanned
        let status = RPCStatus(
            .permissionDenied, "authorization denied",
            details: [
                .init(
                    typeURL: "type.googleapis.com/spire.api.types.PermissionDeniedDetails",
                    value: try details.serializedBytes())
            ])
        let rig = try await Rig(entries: [entry("a")], pushes: true)
        try await rig.keeper.initialize()
        await #expect(throws: SpireError(.banned, "")) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                let keeper = rig.keeper
                group.addTask { try await keeper.run() }
                await rig.server.nextStream()
                rig.server.push(.change(change(digest: digest(entry("a")))))
                while rig.keeper.lastSync == nil { await Task.yield() }
                rig.server.state.withLock { $0.failure = status }
                rig.server.push(.end(status))
                try await group.next()
            }
        }
        #expect(rig.storage.data.svid.isEmpty)
    }

    @Test("pushed bundles reach workloads, the connection's trust and the disk")
    func bundles() async throws {
        let rig = try await Rig(entries: [entry("a", federatesWith: ["friend.test"])], pushes: true)
        rig.server.state.withLock { $0.federated[try! TrustDomain("friend.test")] = bundle("friend.test") }
        try await rig.keeper.initialize()
        try await rig.running { rig in
            await rig.server.nextStream()
            let more = TrustBundle(
                trustDomain: domain,
                x509Authorities: rig.server.state.withLock { $0.bundle.x509Authorities } + [.init(der: [0x30, 9])])
            // A poll may come in between; what it brings is the same.
            try rig.server.state.withLock {
                $0.bundle = more
                $0.federated[try TrustDomain("friend.test")] = bundle("friend.test", mark: 5)
            }
            var pushed = change()
            pushed.bundles = [
                .init(bundle: more, version: 77), .init(bundle: bundle("friend.test", mark: 5), version: 78),
            ]
            rig.server.push(.change(pushed))
            while rig.keeper.authorities.count < 2 { await Task.yield() }
            while rig.storage.data.bundle.count < 2 { await Task.yield() }
            #expect(
                rig.keeper.update(for: selectors("unix:uid:1")).federated == [bundle("friend.test", mark: 5)])
            // The next stream says which versions are held.
            rig.server.push(.end(RPCStatus(.unavailable, "restarting")))
            await rig.clock.sleepers(3)
            rig.clock.advance(by: .seconds(2))
            await rig.server.nextStream()
            if rig.server.state.withLock({ $0.synchronizations }) == 1 {
                #expect(rig.server.state.withLock { $0.streams[1].bundles.values.sorted() } == [77, 78])
            }
            // A bundle that would leave the agent without any trust is refused.
            var empty = change()
            empty.bundles = [.init(bundle: TrustBundle(trustDomain: domain, x509Authorities: []), version: 79)]
            rig.server.push(.change(empty))
            await rig.clock.sleepers(3)
            #expect(rig.keeper.authorities.count == 2)
        }
    }
}
