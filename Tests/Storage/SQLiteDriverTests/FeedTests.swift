// SPDX-License-Identifier: Apache-2.0

import Datastore
import TestKit
import Testing

@testable import SQLDatastore

/// What following a SQLite database costs while nothing happens, and that nothing is missed for it.
@Suite struct FeedTests {
    @Test("a look at an unchanged database is one question that reads no table")
    func idle() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let log = StatementLog()
        let store = try await scratch.open(statements: log)
        try await store.add(.sample("/a", id: "a"))
        let first = try await store.feed(entriesAfter: 0, nodesAfter: 0)
        #expect(first.entries.map(\.key) == ["a"] && !first.isUnchanged)
        let mark = try #require(first.mark)
        _ = log.take()
        for _ in 0..<3 {
            let look = try await store.feed(entriesAfter: 1, nodesAfter: 0, unless: mark)
            #expect(look.isUnchanged && look.mark == mark && look.entries.isEmpty && look.bundles == nil)
        }
        #expect(log.take() == Array(repeating: "PRAGMA data_version", count: 3))
        // Whoever has not taken in what the mark stands for says none, and reads: by one statement.
        #expect(try await store.feed(entriesAfter: 0, nodesAfter: 0).entries.map(\.key) == ["a"])
        #expect(log.take().count == 2)
        await store.close()
        await #expect(throws: (any Error).self) { try await store.feed(entriesAfter: 0, nodesAfter: 0, unless: mark) }
    }

    @Test("whoever commits, this process or another, the next look brings it")
    func everyone() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let store = try await scratch.open()
        let other = try await scratch.open()
        var last: Int64 = 0
        var look = try await store.feed(entriesAfter: 0, nodesAfter: 0)
        for number in 0..<20 {
            try await (number % 2 == 0 ? store : other).add(.sample("/w\(number)", id: "w\(number)"))
            look = try await store.feed(entriesAfter: last, nodesAfter: 0, unless: look.mark)
            #expect(look.entries.map(\.key) == ["w\(number)"])
            last = look.entries.last?.eventID ?? last
            look = try await store.feed(entriesAfter: last, nodesAfter: 0, unless: look.mark)
            #expect(look.isUnchanged)
        }
        let before = try await store.feed(entriesAfter: last, nodesAfter: 0).bundles
        scratch.sql("INSERT INTO bundles (trust_domain, data) VALUES ('spiffe://b.test', x'00')")
        look = try await store.feed(entriesAfter: last, nodesAfter: 0, unless: look.mark)
        #expect(before?.isEmpty == true && look.bundles?.map(\.trustDomainID) == ["spiffe://b.test"])
        scratch.sql("INSERT INTO attested_node_entries_events (spiffe_id) VALUES ('n')")
        look = try await store.feed(entriesAfter: last, nodesAfter: 0, unless: look.mark)
        #expect(look.nodes.map(\.key) == ["n"])
        await other.close()
        await store.close()
    }

    @Test("relationships are read only after something was committed, by whomever")
    func relationships() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let log = StatementLog()
        let store = try await scratch.open(statements: log)
        let other = try await scratch.open()
        var look = try await store.federationRelationships(unless: nil)
        #expect(look.relationships == [] && look.mark != nil)
        _ = log.take()
        for _ in 0..<3 {
            look = try await store.federationRelationships(unless: look.mark)
            #expect(look.relationships == nil)
        }
        #expect(log.take() == Array(repeating: "PRAGMA data_version", count: 3))
        for (number, writer) in [other, store].enumerated() {
            let relationship = FederationRelationship(
                trustDomain: "td\(number)", bundleEndpointURL: "https://td\(number)/",
                profile: .httpsSPIFFE(endpointID: "spiffe://td\(number)/e"))
            _ = try await writer.createFederationRelationship(relationship)
            look = try await store.federationRelationships(unless: look.mark)
            #expect(look.relationships?.last == relationship && look.relationships?.count == number + 1)
            look = try await store.federationRelationships(unless: look.mark)
            #expect(look.relationships == nil)
        }
        await other.close()
        await store.close()
    }

    @Test("another connection counts anew, so an old mark vouches for nothing")
    func reopened() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let memory = try await memoryStore()
        #expect(try await memory.feed(entriesAfter: 0, nodesAfter: 0).mark == nil)
        #expect(try await !memory.feed(entriesAfter: 0, nodesAfter: 0).isUnchanged)
        await memory.close()
        let store = try await scratch.open()
        let mark = try #require(try await store.feed(entriesAfter: 0, nodesAfter: 0).mark)
        let stale = FeedMark(counter: mark.counter &+ 1, value: mark.value)
        #expect(try await !store.feed(entriesAfter: 0, nodesAfter: 0, unless: stale).isUnchanged)
        await store.close()
    }
}
