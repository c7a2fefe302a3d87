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
        try await SharedDatastoreConformance.looksAreOneStatement(store, other: other, log)
        await other.close()
        await store.close()
    }

    @Test("a look at the federation relationships is one statement too")
    func relationships() async throws {
        let database = try ThrowawayServer.shared(.postgres).createDatabase()
        let log = StatementLog()
        let store = try await openStore(database, statements: log)
        let other = try await openStore(database)
        try await SharedDatastoreConformance.relationshipsAreOneStatement(store, other: other, log)
        await other.close()
        await store.close()
    }

    @Test("what a look shows, the replica has to show before it is read")
    func replica() async throws {
        let database = try ThrowawayServer.shared(.postgres).createDatabase()
        let other = try await openStore(database)
        let tolerant = try await openStore(database, replica: true)
        try await SharedDatastoreConformance.replicaShowsWhatALookShowed(tolerant.toleratingStaleness(), other: other)
        await other.close()
        await tolerant.close()
    }
}
