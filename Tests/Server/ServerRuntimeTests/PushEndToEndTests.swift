// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import RPC
import SPIFFE
import SwiftProtobuf
import Synchronization
import Testing
import Wire

@testable import ServerRuntime

/// Streams of changes over real sockets, from a server that runs as it does in production.
@Suite(.serialized) struct PushEndToEndTests {
    typealias Response = Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesResponse

    private func reason(_ status: RPCStatus?) -> Spire_Api_Types_PermissionDeniedDetails.Reason? {
        status?.details.first.flatMap {
            try? Spire_Api_Types_PermissionDeniedDetails(serializedBytes: $0.value).reason
        }
    }

    @Test("an entry created by an operator reaches the agent's stream by itself, as do its deletion and the ban")
    func lifeOfAStream() async throws {
        try await ServerLab.run { lab in
            let agent = try await lab.attest()
            let client = lab.remote(agent.identity)
            let admin = lab.admin
            let ended = await refusal {
                try await client.serverStreaming(EntryPushMethods.streamAuthorizedEntries, .init()) { responses in
                    let first = try #require(try await responses.next())
                    #expect(first.complete && first.bundles.count == 1)
                    let id = try await lab.entry("/web", parent: agent.path)
                    let second = try #require(try await responses.next())
                    #expect(second.entries.map(\.id) == [id])
                    // An operator's poll and an agent's stream see the same.
                    let polled = try await client.unary(EntryMethods.getAuthorizedEntries, .init())
                    #expect(polled.entries.map(\.id) == [id])
                    _ = try await admin.unary(EntryMethods.batchDeleteEntry, .with { $0.ids = [id] })
                    var removed: [String] = []
                    while removed.isEmpty { removed = try #require(try await responses.next()).removedEntryIds }
                    #expect(removed == [id])
                    _ = try await admin.unary(
                        AgentMethods.banAgent,
                        .with {
                            $0.id.trustDomain = "example.org"
                            $0.id.path = agent.path
                        })
                    while try await responses.next() != nil {}
                }
            }
            #expect(ended?.code == .permissionDenied)
            #expect(reason(ended) == .agentBanned)
            await admin.close()
            await client.close()
        }
    }

    @Test("an agent whose stream has reached its age is asked to go, and goes on elsewhere without being sent anything anew")
    func age() async throws {
        try await ServerLab.run(configure: { $0.experimental.agentStreamAge = .milliseconds(300) }) { lab in
            let agent = try await lab.attest()
            let id = try await lab.entry("/web", parent: agent.path)
            let client = lab.remote(agent.identity)
            var request = Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesRequest()
            for turn in 0..<3 {
                let isLeaving = Watch(false)
                var options = CallOptions()
                options.leaving = { isLeaving.set(true) }
                try await client.serverStreaming(EntryPushMethods.streamAuthorizedEntries, request, options: options) {
                    let first = try #require(try await $0.next())
                    #expect(first.complete == (turn == 0) && first.entries.map(\.id) == (turn == 0 ? [id] : []))
                    #expect(first.bundles.count == (turn == 0 ? 1 : 0))
                    request.position = first.position
                    request.held = first.digest
                    if turn == 0 {
                        request.heldBundles = first.bundles.map { pushed in
                            .with {
                                $0.trustDomain = pushed.bundle.trustDomain
                                $0.version = pushed.version
                            }
                        }
                    }
                    for await isAsked in isLeaving.changes() where isAsked { break }
                    try await client.connect(timeout: .seconds(30))
                }
            }
            // One that does not listen is ended.
            let ended = await refusal {
                try await client.serverStreaming(EntryPushMethods.streamAuthorizedEntries, request) {
                    while try await $0.next() != nil {}
                }
            }
            #expect(ended?.code == .unavailable)
            await client.close()
        }
    }

    @Test("a stream is for agents: neither operators nor strangers get one")
    func authorization() async throws {
        try await ServerLab.run { lab in
            for client in [lab.admin, lab.remote()] {
                let status = await refusal {
                    try await client.serverStreaming(EntryPushMethods.streamAuthorizedEntries, .init()) {
                        _ = try await $0.next()
                    }
                }
                #expect(status?.code == .permissionDenied)
                await client.close()
            }
        }
    }

    @Test("twenty agents' streams: each gets its own entry, and nobody another's")
    func many() async throws {
        try await ServerLab.run { lab in
            var agents: [AttestedAgent] = []
            for _ in 0..<20 { agents.append(try await lab.attest()) }
            let opened = Watch(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, agent) in agents.enumerated() {
                    group.addTask {
                        let client = lab.remote(agent.identity)
                        try await client.serverStreaming(EntryPushMethods.streamAuthorizedEntries, .init()) {
                            _ = try await $0.next()
                            opened.update { $0 += 1 }
                            var message = try #require(try await $0.next())
                            while message.entries.isEmpty { message = try #require(try await $0.next()) }
                            #expect(message.entries.map(\.spiffeID.path) == ["/for/\(number)"])
                        }
                        await client.close()
                    }
                }
                for await count in opened.changes() where count == agents.count { break }
                for (number, agent) in agents.enumerated() {
                    _ = try await lab.entry("/for/\(number)", parent: agent.path)
                }
                try await group.waitForAll()
            }
        }
    }
}
