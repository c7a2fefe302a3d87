// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import EntryIndex
import FoundationEssentials
import Groundwork
import RPC
import SPIFFE
import SQLDatastore
import SwiftProtobuf
import TestKit
import Testing

@testable import ServerAPI

@Suite struct EntryPushServiceTests {
    private func reason(_ status: RPCStatus?) -> Spire_Api_Types_PermissionDeniedDetails.Reason? {
        status?.details.first.flatMap {
            try? Spire_Api_Types_PermissionDeniedDetails(serializedBytes: $0.value).reason
        }
    }

    @Test("a new stream brings everything, with a digest of it and the own bundle")
    func everything() async throws {
        let lab = try await PushLab()
        let ids = try await lab.create(["/a", "/b"])
        try await lab.stream { reader in
            let first = try #require(await reader.next())
            #expect(first.complete && !first.more)
            #expect(reader.ids == Set(ids))
            #expect(first.digest == reader.digest())
            #expect(first.bundles.map(\.bundle.trustDomain) == ["example.org"])
            #expect(first.position.revision == 0 || first.hasPosition)
        }
    }

    @Test("what is created, changed, moved away and deleted arrives, and nothing else")
    func changes() async throws {
        let lab = try await PushLab()
        let ids = try await lab.create(["/a"])
        try await lab.stream { reader in
            _ = await reader.next()
            let new = try await lab.create(["/b"])
            var message = try #require(await reader.next())
            #expect(message.entries.map(\.id) == new && !message.complete && message.bundles.isEmpty)
            try await lab.create(["/elsewhere"]) { $0.parentID = "spiffe://example.org/other" }
            try await lab.update(ids[0]) { $0.hint = "h" }
            message = try #require(await reader.next())
            #expect(message.entries.map(\.hint) == ["h"] && message.entries[0].revisionNumber == 1)
            try await lab.update(new[0]) { $0.parentID = "spiffe://example.org/other" }
            message = try #require(await reader.next())
            #expect(message.removedEntryIds == new && message.entries.isEmpty)
            try await lab.delete(ids[0])
            message = try #require(await reader.next())
            #expect(message.removedEntryIds == ids)
            #expect(reader.ids.isEmpty)
        }
    }

    @Test("an alias, and what hangs below what it names, counts at once in both directions")
    func aliases() async throws {
        let lab = try await PushLab()
        let workload = try await lab.create(["/w"]) { $0.parentID = "spiffe://example.org/rack" }
        try await lab.stream { reader in
            _ = await reader.next()
            let alias = try await lab.create(["/rack"]) {
                $0.parentID = "spiffe://example.org/spire/server"
                $0.selectors = [Selector(type: "dc", value: "1")]
            }
            let selectors = [Selector(type: "dc", value: "1"), Selector(type: "os", value: "x")]
            try await lab.fixture.store.setNodeSelectors(id: PushLab.agentID, selectors)
            try await lab.index.refresh()
            var message = try #require(await reader.next())
            #expect(message.entries.map(\.id) == workload)
            let second = try await lab.create(["/w2"]) { $0.parentID = "spiffe://example.org/rack" }
            message = try #require(await reader.next())
            #expect(message.entries.map(\.id) == second)
            try await lab.delete(alias[0])
            message = try #require(await reader.next())
            #expect(Set(message.removedEntryIds) == Set(workload + second))
        }
    }

    @Test("five seconds after the last change the agent is told what it should hold now, once")
    func check() async throws {
        let lab = try await PushLab()
        try await lab.stream { reader in
            _ = await reader.next()
            try await lab.create(["/a"])
            _ = await reader.next()
            // The certificate's end is the only other thing a stream sleeps for.
            await lab.alarm { $0 <= .seconds(5) }
            lab.fixture.time.advance(by: .seconds(5))
            let message = try #require(await reader.next())
            #expect(message.entries.isEmpty && message.hasDigest)
            #expect(message.digest == reader.digest())
            await lab.alarm { $0 > .seconds(60) }
        }
    }

    @Test("an agent that holds what it should is told so in one small message")
    func inStep() async throws {
        let lab = try await PushLab()
        try await lab.create((0..<50).map { "/w\($0)" })
        var request = PushRequestProto()
        try await lab.stream { reader in
            let first = try #require(await reader.next())
            request.held = first.digest
            request.position = first.position
            request.heldBundles = first.bundles.map { bundle in
                .with {
                    $0.trustDomain = bundle.bundle.trustDomain
                    $0.version = bundle.version
                }
            }
        }
        // With its place in history, and, as after a restart of the server, without one that is known.
        for epoch in [request.position.epoch, 0] {
            request.position.epoch = epoch
            try await lab.stream(request) { reader in
                let first = try #require(await reader.next())
                #expect(!first.complete && first.entries.isEmpty && first.bundles.isEmpty && first.hasDigest)
                let bytes: [UInt8] = try first.serializedBytes()
                #expect(bytes.count < 100)
            }
        }
    }

    @Test("an agent that comes back gets what changed meanwhile; after too much, or at another server, everything")
    func resume() async throws {
        let lab = try await PushLab()
        let ids = try await lab.create(["/a", "/b"])
        var request = PushRequestProto()
        try await lab.stream { reader in
            let first = try #require(await reader.next())
            request.held = first.digest
            request.position = first.position
        }
        let new = try await lab.create(["/c"])
        try await lab.delete(ids[0])
        try await lab.stream(request) { reader in
            let first = try #require(await reader.next())
            #expect(!first.complete)
            #expect(first.entries.map(\.id) == new && first.removedEntryIds == [ids[0]])
            #expect(first.digest.count == 2)
        }
        var elsewhere = request
        elsewhere.position.epoch &+= 1
        try await lab.stream(elsewhere) { reader in
            let first = try #require(await reader.next())
            #expect(first.complete && first.entries.count == 2)
        }
        // More changes than are remembered.
        for number in 0..<200 { try await lab.create(["/many/\(number)"]) }
        try await lab.stream(request) { reader in
            let first = try #require(await reader.next())
            #expect(first.complete && first.entries.count == 202)
        }
    }

    @Test("an agent from a server that is ahead keeps what it has: this one looks before it answers")
    func behind() async throws {
        let lab = try await PushLab(localChanges: Watch(0))
        let first = try await lab.create(["/a"])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await lab.index.run() }
            while try await !lab.index.catchUp(within: .seconds(60)) { await Task.yield() }
            // Another server creates one more and changes the first; this one does not hear of it.
            let made = try await lab.fixture.store.createEntries([.made("/b") { $0.parentID = PushLab.agentID }])
            guard case .created(let second) = try #require(made.first).get() else { throw CancellationError() }
            var changed = try #require(try await lab.fixture.store.entry(id: first[0]))
            changed.hint = "h"
            changed = try await lab.fixture.store.updateEntry(changed, fields: .all)
            var request = PushRequestProto()
            request.held = AuthorizedSet([second, changed]).digest.proto
            request.position.epoch = 1
            try await lab.stream(request) { reader in
                let message = try #require(await reader.next())
                #expect(!message.complete && message.entries.isEmpty && message.removedEntryIds.isEmpty)
                #expect(message.digest == request.held)
            }
            group.cancelAll()
        }
    }

    @Test("twenty thousand entries come in messages far below what callers accept, and add up")
    func large() async throws {
        let lab = try await PushLab()
        try await lab.create((0..<20_000).map { "/w\($0)" }) {
            $0.dnsNames = [String(repeating: "x", count: 60) + ".example.org"]
        }
        try await lab.stream { reader in
            var last: PushResponseProto?
            var count = 0
            repeat {
                last = await reader.next()
                count += 1
                let bytes: [UInt8] = try #require(last as PushResponseProto?).serializedBytes()
                #expect(bytes.count < 2 << 20)
            } while last?.more == true
            #expect(count >= 20)
            #expect(reader.ids.count == 20_000)
            #expect(last?.digest == reader.digest())
        }
    }

    @Test("a banned, evicted or superseded agent's stream ends at once, with the reason")
    func cutOff() async throws {
        let lab = try await PushLab()
        try await lab.stream { reader in
            _ = await reader.next()
            var node = try #require(try await lab.fixture.store.node(id: PushLab.agentID))
            node.serialNumber = ""
            try await lab.fixture.store.updateNode(node, fields: [.serialNumber])
            try await lab.index.refresh()
            let end = await reader.end()
            #expect(end?.code == .permissionDenied)
            #expect(reason(end) == .agentBanned)
        }
        // Banned before it opens another one: the call was let in before.
        try await lab.stream { reader in
            let end = await reader.end()
            #expect(reason(end) == .agentBanned)
        }
        var node = try #require(try await lab.fixture.store.node(id: PushLab.agentID))
        node.serialNumber = "7"
        try await lab.fixture.store.updateNode(node, fields: [.serialNumber])
        try await lab.index.refresh()
        try await lab.stream { reader in
            _ = await reader.next()
            try await lab.fixture.store.deleteNode(id: PushLab.agentID)
            try await lab.index.refresh()
            let end = await reader.end()
            #expect(reason(end) == .agentNotAttested)
        }
    }

    @Test("a stream does not outlive the agent's certificate")
    func expiry() async throws {
        let lab = try await PushLab()
        try await lab.stream { reader in
            _ = await reader.next()
            await lab.alarm()
            lab.fixture.time.advance(by: .seconds(3602))
            let end = await reader.end()
            #expect(reason(end) == .agentExpired)
        }
    }

    @Test("bundles come when they change, when an entry first needs them, and are taken back when they go")
    func bundles() async throws {
        let lab = try await PushLab()
        _ = try await lab.watched.setBundle(PushLab.bundle("friend.test", 1))
        _ = try await lab.watched.setBundle(PushLab.bundle("stranger.test", 1))
        try await lab.stream { reader in
            _ = await reader.next()
            _ = try await lab.watched.setBundle(PushLab.bundle("example.org", 2))
            var message = try #require(await reader.next())
            #expect(message.bundles.map(\.bundle.sequenceNumber) == [2])
            let ids = try await lab.create(["/a"]) { $0.federatesWith = ["spiffe://friend.test"] }
            message = try #require(await reader.next())
            #expect(message.entries.map(\.id) == ids)
            #expect(message.bundles.map(\.bundle.trustDomain) == ["friend.test"])
            _ = try await lab.watched.setBundle(PushLab.bundle("stranger.test", 2))
            _ = try await lab.watched.setBundle(PushLab.bundle("friend.test", 2))
            message = try #require(await reader.next())
            #expect(message.bundles.map(\.bundle.trustDomain) == ["friend.test"])
            // Another server's write, seen at the next look.
            lab.fixture.time.advance(by: .seconds(1))
            _ = try await lab.fixture.store.setBundle(PushLab.bundle("friend.test", 3))
            try await lab.index.refresh()
            message = try #require(await reader.next())
            if message.bundles.isEmpty { message = try #require(await reader.next()) }
            #expect(message.bundles.map(\.bundle.sequenceNumber) == [3])
            try await lab.watched.deleteBundle(trustDomainID: "spiffe://friend.test", mode: .dissociate)
            message = try #require(await reader.next())
            #expect(message.removedTrustDomains == ["friend.test"])
        }
    }

    @Test("revision and creation time may not be masked: nothing could be compared")
    func mask() async throws {
        let lab = try await PushLab()
        try await lab.stream(.with { $0.outputMask.spiffeID = true }) { reader in
            #expect(await reader.end()?.code == .invalidArgument)
        }
    }

    @Test("of an agent's streams only the newest few stay")
    func superseded() async throws {
        let lab = try await PushLab()
        try await lab.stream { oldest in
            _ = await oldest.next()
            try await lab.stream { second in
                _ = await second.next()
                try await lab.stream { third in
                    _ = await third.next()
                    try await lab.stream { fourth in
                        _ = await fourth.next()
                        #expect(lab.board.streamCount == 4)
                        try await lab.stream { fifth in
                            _ = await fifth.next()
                            #expect(await oldest.end()?.code == .aborted)
                        }
                    }
                }
            }
        }
        #expect(lab.board.streamCount == 0)
    }
}
