// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Groundwork
import RPC
import Synchronization
import TestKit
import Testing

/// The keeper with a server that asks it to go elsewhere.
struct MovingAgentTests {
    private let held = [entry("a")].reduce(into: SetDigest()) { $0.add($1.version) }

    private func begin(revision: UInt64) -> EntryPush.Change {
        var change = EntryPush.Change()
        change.digest = held
        change.position = .init(epoch: 9, revision: revision)
        return change
    }

    private func identities(_ rig: Rig) -> [String] {
        rig.keeper.update(for: selectors("unix:uid:1")).identities.map(\.entry.id).sorted()
    }

    /// Runs a keeper whose stream is open, after its one synchronisation.
    ///
    /// - Parameter isPolled: Whether another one comes; none may come otherwise.
    private func following(isPolled: Bool = false, _ body: (Rig) async throws -> Void) async throws {
        let rig = try await Rig(entries: [entry("a")], agentLifetime: 1_000_000, pushes: true)
        try await rig.keeper.initialize()
        try await rig.running { rig in
            await rig.server.nextStream()
            rig.server.push(.change(begin(revision: 5)))
            await rig.server.nextDelivery()
            try await body(rig)
        }
        #expect(rig.server.state.withLock { $0.synchronizations > 1 } == isPolled)
    }

    /// Lets the time pass over which the agents of one server arrive at others.
    private func arrive(_ rig: Rig) async {
        await rig.clock.sleepers(3)
        rig.clock.advance(by: .milliseconds(500))
    }

    @Test("goes on where it was, without a poll, a pause or anything being sent anew")
    func move() async throws {
        try await following { rig in
            rig.server.sendAway()
            await rig.clock.sleepers(3)
            // Until the other connection stands, changes come over the old one.
            rig.server.state.withLock { $0.entries.append(entry("b", "/second")) }
            var change = EntryPush.Change()
            change.entries = [entry("b", "/second")]
            change.position = .init(epoch: 9, revision: 6)
            rig.server.push(.change(change))
            while identities(rig) != ["a", "b"] { await Task.yield() }
            #expect(rig.server.state.withLock { $0.streams.count } == 1)
            await arrive(rig)
            await rig.server.nextStream()
            let (start, connects) = rig.server.state.withLock { ($0.streams[1], $0.connects) }
            #expect(connects == 1)
            #expect(start.position == .init(epoch: 9, revision: 6))
            #expect(start.held == [entry("a"), entry("b", "/second")].reduce(into: SetDigest()) { $0.add($1.version) })
            // What comes over the other stream counts as well.
            change.entries = []
            change.removed = ["a"]
            rig.server.push(.change(change))
            while identities(rig) != ["b"] { await Task.yield() }
        }
    }

    @Test("stays while nobody else can be reached, and tries again")
    func nowhereToGo() async throws {
        try await following { rig in
            rig.server.state.withLock { $0.connectFailure = RPCStatus(.unavailable, "refused") }
            rig.server.sendAway()
            await arrive(rig)
            for _ in 0..<3 {
                await rig.server.nextConnect()
                await rig.clock.sleepers(3)
                #expect(rig.server.state.withLock { $0.streams.count } == 1)
                rig.clock.advance(by: .seconds(1))
            }
            rig.server.state.withLock { $0.connectFailure = nil }
            while rig.server.state.withLock({ $0.streams.count }) == 1 {
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(1))
            }
            #expect(rig.server.state.withLock { $0.streams[1].position } == .init(epoch: 9, revision: 5))
        }
    }

    @Test("goes at once when the server ends the stream after that", arguments: [false, true])
    func ended(isConnecting: Bool) async throws {
        try await following { rig in
            rig.server.sendAway()
            if isConnecting { await rig.clock.sleepers(3) }
            rig.server.push(.end(RPCStatus(.unavailable, "call again on another")))
            await rig.server.nextStream()
            #expect(rig.server.state.withLock { $0.streams[1].position } == .init(epoch: 9, revision: 5))
        }
    }

    @Test("takes no part in being sent from one server to the next for ever: it polls, and comes back with pauses")
    func sentAround() async throws {
        try await following(isPolled: true) { rig in
            for _ in 0..<3 {
                rig.server.sendAway()
                rig.server.push(.end(RPCStatus(.unavailable, "go")))
                await rig.server.nextStream()
            }
            rig.server.sendAway()
            rig.server.push(.end(RPCStatus(.unavailable, "go")))
            // Four streams, and the next only after a poll or some time.
            while rig.server.state.withLock({ $0.synchronizations == 1 || $0.streams.count == 4 }) {
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(1))
            }
        }
    }

    @Test("a server that takes the stream and says nothing is left, and polled")
    func silence() async throws {
        try await following(isPolled: true) { rig in
            rig.server.sendAway()
            rig.server.push(.end(RPCStatus(.unavailable, "go")))
            await rig.server.nextStream()
            while rig.server.state.withLock({ $0.synchronizations == 1 || $0.streams.count == 2 }) {
                await rig.clock.sleepers(2)
                rig.clock.advance(by: .seconds(1))
            }
        }
    }
}
