// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import TestKit
import Testing

@testable import SQLDatastore

@Suite(.enabled(if: ThrowawayServer.mariadbIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct MySQLStateTests {
    private static let sample = OriginalState.file("mysql", "datastore.sql")
    private static let tokenFile = OriginalState.file("mysql", "unused-token.txt")

    /// A database with the original's dump in it.
    private func original() throws -> (ThrowawayServer, String) {
        let server = try ThrowawayServer.shared(.mariadb)
        let database = server.createDatabase()
        let dump = try #require(Self.sample)
        let loaded = ThrowawayServer.run(
            // Older clients stumble over the dump's first line.
            "tail -n +2 '\(dump)' | mariadb --no-defaults -u root --socket=\(server.folder)/primary.sock \(database) 2>&1")
        try #require(loaded.status == 0, "\(loaded.output)")
        return (server, database)
    }

    private func schema(_ server: ThrowawayServer, _ database: String) -> String {
        ThrowawayServer.run(
            "mariadb-dump --no-defaults -u root --socket=\(server.folder)/primary.sock --no-data --compact \(database) "
                + "| sed 's/ AUTO_INCREMENT=[0-9]*//' | grep -v '^/\\*'").output
    }

    @Test("the original's database opens with everything in it", .enabled(if: sample != nil, Comment(rawValue: OriginalState.advice)))
    func reading() async throws {
        let (server, database) = try original()
        let token = ThrowawayServer.run("head -1 '\(Self.tokenFile ?? "")'").output.dropFirst("Token: ".count).dropLast()
        let store = try await openStore(database)
        try await OriginalState.check(store, token: String(token))
        await store.close()
        #expect(server.sql("SELECT version, code_version FROM migrations", on: database) == "25|1.16.0\n")
    }

    @Test("a new database has the original's schema", .enabled(if: sample != nil, Comment(rawValue: OriginalState.advice)))
    func newSchema() async throws {
        let (server, theirs) = try original()
        let ours = server.createDatabase()
        let store = try await openStore(ours)
        await store.close()
        let expected = schema(server, theirs)
        #expect(schema(server, ours) == expected)
        #expect(expected.contains("UNIQUE KEY `idx_selector_entry`"))
    }

    @Test("what we write has the form of what the original wrote", .enabled(if: sample != nil, Comment(rawValue: OriginalState.advice)))
    func handingBack() async throws {
        let (server, database) = try original()
        let store = try await openStore(database)
        var entry = try #require(try await store.listEntries(EntryFilter(), page: nil).items.first { $0.hint == "internal" })
        try await store.deleteEntry(id: entry.id)
        let created = try await store.add(entry)
        #expect(try await store.entry(id: entry.id)?.createdAt == created.createdAt)
        entry.hint = "changed"
        _ = try await store.updateEntry(entry, fields: .hint)
        let bundles = server.sql("SELECT hex(data) FROM bundles ORDER BY id", on: database)
        for bundle in try await store.listBundles(page: nil).items { _ = try await store.setBundle(bundle) }
        await store.close()
        #expect(server.sql("SELECT hex(data) FROM bundles ORDER BY id", on: database) == bundles)
        for table in Schema.tables where !table.isJoinTable && table.name != "attested_node_entries" {
            let nulls = table.columns.map { "`\($0.name)` IS NULL" }.joined(separator: ", ")
            let forms = server.sql(
                "SELECT DISTINCT created_at IS NULL, updated_at IS NULL, \(nulls) FROM \(table.name)", on: database)
            #expect(Set(forms.split(separator: "\n")).count <= 1, "\(table.name): \(forms)")
        }
        let events = server.sql("SELECT entry_id FROM registered_entries_events WHERE id > 10 ORDER BY id", on: database)
        #expect(events == "\(entry.id)\n\(entry.id)\n\(entry.id)\n")
    }

    @Test("schemas 23 and 24 are upgraded and keep their rows, also after half a step", arguments: [23, 24], [false, true])
    func upgrade(version: Int, isHalfDone: Bool) async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let database = server.createDatabase()
        let fresh = try await openStore(database)
        try await fresh.add(.sample(id: "kept"))
        await fresh.close()
        let wanted = schema(server, database)
        // Tables are not changed in transactions here: a server that died may have left the column without the version.
        if !isHalfDone || version < 24 {
            server.sql("ALTER TABLE registered_entries DROP COLUMN additional_attributes", on: database)
        }
        if version < 24, !isHalfDone { server.sql("ALTER TABLE attested_node_entries DROP COLUMN agent_version", on: database) }
        server.sql("UPDATE migrations SET version = \(version), code_version = '1.15.2'", on: database)
        let stores = try await withThrowingTaskGroup(of: SQLDatastore.self) { group in
            for _ in 0..<3 { group.addTask { try await openStore(database) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(try await stores[0].entry(id: "kept") != nil)
        for store in stores { await store.close() }
        #expect(schema(server, database) == wanted)
        #expect(server.sql("SELECT version, code_version FROM migrations", on: database) == "25|1.16.0\n")
    }

    @Test("a creation that was cut off goes on; another application's tables are refused")
    func creation() async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let whole = server.createDatabase()
        await (try openStore(whole)).close()
        let half = server.createDatabase()
        await (try openStore(half)).close()
        server.sql("DROP TABLE ca_journals; DROP TABLE dns_names; DELETE FROM migrations", on: half)
        await (try openStore(half)).close()
        #expect(schema(server, half) == schema(server, whole))
        let foreign = server.createDatabase()
        server.sql("CREATE TABLE photos (id int)", on: foreign)
        await #expect(throws: SpireError.self) { await (try openStore(foreign)).close() }
        #expect(server.sql("SHOW TABLES", on: foreign) == "photos\n")
    }

    @Test("identities that differ in case or accents only are not taken for one another")
    func exactness() async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let store = try await openStore(server.createDatabase())
        try await store.add(.sample("/web", id: "web"))
        guard case .created = try await store.createEntry(.sample("/Web")) else {
            Issue.record("an entry was taken for another one's")
            return
        }
        #expect(try await store.entry(id: "WEB") == nil)
        #expect(try await store.entries(ids: ["Web", "web "]).isEmpty)
        await #expect(throws: SpireError.self) { try await store.deleteEntry(id: "wEb") }
        try await store.createJoinToken(JoinToken(token: "abc", expiry: 5))
        #expect(try await store.takeJoinToken("ABC") == nil)
        #expect(try await store.takeJoinToken("abc ") == nil)
        #expect(try await store.takeJoinToken("abc")?.expiry == 5)
        try await store.createNode(
            AttestedNode(spiffeID: "spiffe://example.org/a", attestationType: "x", serialNumber: "1", expiresAt: 5))
        #expect(try await store.node(id: "spiffe://example.org/A") == nil)
        #expect(try await store.node(id: "spiffe://example.org/á") == nil)
        #expect(try await store.node(id: "spiffe://example.org/a") != nil)
        await store.close()
    }
}
