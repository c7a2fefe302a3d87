// SPDX-License-Identifier: Apache-2.0

import Datastore
import TestKit
import Testing

@testable import SQLDatastore

/// What following a database that others write to costs, and what it brings.
@Suite(.enabled(if: ThrowawayServer.postgresIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct PostgresFeedTests {
    @Test("a look is one statement, and brings what other servers have changed")
    func oneStatement() async throws {
        let database = try ThrowawayServer.shared(.postgres).createDatabase()
        let log = StatementLog()
        let store = try await openStore(database, statements: log)
        let other = try await openStore(database)
        var last: Int64 = 0
        _ = log.take()
        for number in 0..<5 {
            #expect(try await store.feed(entriesAfter: last, nodesAfter: 0).entries.isEmpty)
            // A connection that is new says more, once.
            let statements = log.take().filter { $0.contains("events") || $0.hasPrefix("BEGIN") || $0.hasPrefix("START") }
            #expect(statements.count == 1)
            try await other.add(.sample("/w\(number)", id: "w\(number)"))
            let look = try await store.feed(entriesAfter: last, nodesAfter: 0)
            #expect(look.entries.map(\.key) == ["w\(number)"] && look.mark == nil && !look.isUnchanged)
            last = look.entries.last?.eventID ?? last
            _ = log.take()
        }
        await other.close()
        await store.close()
    }

    @Test("what a look shows, the replica has to show before it is read")
    func replica() async throws {
        let database = try ThrowawayServer.shared(.postgres).createDatabase()
        let other = try await openStore(database)
        let tolerant = try await openStore(database, replica: true)
        let reader = tolerant.toleratingStaleness()
        var last: Int64 = 0
        for number in 0..<100 {
            try await other.add(.sample("/w\(number)", id: "w\(number)"))
            let look = try await reader.feed(entriesAfter: last, nodesAfter: 0)
            #expect(look.entries.map(\.key) == ["w\(number)"])
            last = look.entries.last?.eventID ?? last
            #expect(try await reader.entries(ids: ["w\(number)"]).count == 1)
        }
        await other.close()
        await tolerant.close()
    }
}
