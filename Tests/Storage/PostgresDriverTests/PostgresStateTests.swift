// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import TestKit
import Testing

@testable import SQLDatastore

@Suite(.enabled(if: ThrowawayServer.postgresIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct PostgresStateTests {
    private static let sample = OriginalState.file("postgres", "datastore.sql")
    private static let tokenFile = OriginalState.file("postgres", "unused-token.txt")

    /// A database with the original's dump in it.
    private func original() throws -> (ThrowawayServer, String) {
        let server = try ThrowawayServer.shared(.postgres)
        let database = server.createDatabase()
        let dump = try #require(Self.sample)
        let loaded = ThrowawayServer.run(
            // Later clients' \restrict is unknown to older ones.
            "grep -v '^.restrict\\|^.unrestrict' '\(dump)' | psql -X -q -v ON_ERROR_STOP=1 -h \(server.folder) "
                + "-p \(server.port(.primary)) -U spire -d \(database) 2>&1 >/dev/null")
        try #require(loaded.status == 0, "\(loaded.output)")
        return (server, database)
    }

    private func schema(_ server: ThrowawayServer, _ database: String) -> String {
        ThrowawayServer.run(
            "pg_dump -s -O -x -h \(server.folder) -p \(server.port(.primary)) -U spire \(database) "
                + "| grep -v '^--\\|^$\\|^.restrict\\|^.unrestrict\\|^SET\\|^SELECT'").output
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
        #expect(expected.contains("CREATE UNIQUE INDEX idx_selector_entry"))
    }

    @Test("what we write has the form of what the original wrote", .enabled(if: sample != nil, Comment(rawValue: OriginalState.advice)))
    func handingBack() async throws {
        let (server, database) = try original()
        let store = try await openStore(database)
        var entry = try #require(try await store.listEntries(EntryFilter(), page: nil).items.first { $0.hint == "internal" })
        try await store.deleteEntry(id: entry.id)
        try await store.add(entry)
        entry.hint = "changed"
        _ = try await store.updateEntry(entry, fields: .hint)
        let bundles = server.sql("SELECT encode(data, 'hex') FROM bundles ORDER BY id", on: database)
        for bundle in try await store.listBundles(page: nil).items { _ = try await store.setBundle(bundle) }
        await store.close()
        #expect(server.sql("SELECT encode(data, 'hex') FROM bundles ORDER BY id", on: database) == bundles)
        // Columns are null where the original's are, and nowhere else.
        for table in Schema.tables where !table.isJoinTable {
            let nulls = table.columns.map { "\($0.name) IS NULL" }.joined(separator: ", ")
            let forms = server.sql(
                "SELECT DISTINCT created_at IS NULL, updated_at IS NULL, \(nulls) FROM \(table.name)", on: database)
            let lines = Set(forms.split(separator: "\n"))
            if table.name != "attested_node_entries" { #expect(lines.count <= 1, "\(table.name): \(forms)") }
        }
        let events = server.sql("SELECT entry_id FROM registered_entries_events WHERE id > 10 ORDER BY id", on: database)
        #expect(events == "\(entry.id)\n\(entry.id)\n\(entry.id)\n")
    }

    @Test("schemas 23 and 24 are upgraded and keep their rows", arguments: [23, 24])
    func upgrade(version: Int) async throws {
        let server = try ThrowawayServer.shared(.postgres)
        let database = server.createDatabase()
        let fresh = try await openStore(database)
        try await fresh.add(.sample(id: "kept"))
        await fresh.close()
        let wanted = schema(server, database)
        server.sql("ALTER TABLE registered_entries DROP COLUMN additional_attributes", on: database)
        if version < 24 { server.sql("ALTER TABLE attested_node_entries DROP COLUMN agent_version", on: database) }
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

    @Test("a database of another application or of the future is refused and left alone")
    func refusals() async throws {
        let server = try ThrowawayServer.shared(.postgres)
        func failure(_ database: String) async -> String {
            do {
                await (try openStore(database)).close()
                return "opened"
            } catch {
                return "\(error)"
            }
        }
        let foreign = server.createDatabase()
        server.sql("CREATE TABLE photos (id int)", on: foreign)
        #expect(await failure(foreign) == "datastore-sql: the database holds tables of another application and no SPIRE schema")
        #expect(server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", on: foreign) == "1\n")
        let future = server.createDatabase()
        await (try openStore(future)).close()
        server.sql("UPDATE migrations SET version = 26, code_version = '1.18.0'", on: future)
        #expect(await failure(future) == "datastore-sql: incompatible DB schema and code version")
        #expect(await failure("no_such_database").contains("database \"no_such_database\" does not exist"))
    }
}
