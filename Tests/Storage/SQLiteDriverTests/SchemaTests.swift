// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import TestKit
import Testing

@testable import SQLDatastore

@Suite struct SchemaTests {
    private static let columns = """
        SELECT m.name, p.name, p.type, p."notnull", p.pk FROM sqlite_master m, pragma_table_info(m.name) p \
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, p.name
        """

    /// A database as an older release left it.
    private func older(_ version: Int, code: String = "1.15.2", _ scratch: Scratch) async throws {
        let store = try await scratch.open()
        try await store.add(.sample(id: "kept"))
        try await store.createNode(
            AttestedNode(spiffeID: "n", attestationType: "x", serialNumber: "1", expiresAt: 5))
        await store.close()
        if version < 25 { scratch.sql("ALTER TABLE registered_entries DROP COLUMN additional_attributes") }
        if version < 24 { scratch.sql("ALTER TABLE attested_node_entries DROP COLUMN agent_version") }
        scratch.sql("UPDATE migrations SET version = \(version), code_version = '\(code)'")
    }

    @Test("schemas 23 and 24 are upgraded and keep their rows", arguments: [23, 24])
    func upgrade(version: Int) async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let fresh = try await scratch.open("fresh.sqlite3")
        await fresh.close()
        try await older(version, scratch)
        let store = try await scratch.open()
        #expect(try await store.entry(id: "kept")?.additionalAttributes == nil)
        #expect(try await store.node(id: "n")?.agentVersion == "")
        await store.close()
        #expect(scratch.sql("SELECT version, code_version FROM migrations") == "25|1.16.0\n")
        #expect(scratch.sql(Self.columns) == scratch.sql(Self.columns, on: "fresh.sqlite3"))
    }

    @Test("schemas that cannot be used are refused with the original's words and left as they are", arguments: [
        (
            22, "1.7.2", false,
            "datastore-sql: migrating from schema version 22 requires a previous SPIRE release; please follow the "
                + "upgrade strategy at doc/upgrading.md"
        ),
        (26, "1.18.0", false, "datastore-sql: incompatible DB schema and code version"),
        (26, "2.16.0", false, "datastore-sql: incompatible DB schema and code version"),
        (24, "1.14.0", true, "datastore-sql: auto-migration must be enabled for current DB"),
    ])
    func refusal(version: Int, code: String, disableMigration: Bool, text: String) async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        try await older(version, code: code, scratch)
        do {
            let store = try await scratch.open(disableMigration: disableMigration)
            await store.close()
            Issue.record("the schema was accepted")
        } catch let error as SpireError {
            #expect(error.message == text)
        }
        #expect(scratch.sql("SELECT version, code_version FROM migrations") == "\(version)|\(code)\n")
    }

    @Test("a schema one release ahead is used as it is", arguments: [false, true])
    func ahead(disableMigration: Bool) async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        try await older(26, code: "1.17.3", scratch)
        let store = try await scratch.open(disableMigration: disableMigration)
        #expect(try await store.entry(id: "kept") != nil)
        await store.close()
        #expect(scratch.sql("SELECT version, code_version FROM migrations") == "26|1.17.3\n")
    }

    @Test("code versions compare and are compatible like the original's")
    func codeVersions() {
        #expect(CodeVersion("1.15.3") < CodeVersion("1.16.0-dev"))
        #expect(CodeVersion("1.9.0") < CodeVersion("1.10.0"))
        #expect(CodeVersion("1.15.3").isCompatible(with: CodeVersion("1.16.0")))
        #expect(!CodeVersion("1.14.3").isCompatible(with: CodeVersion("1.16.0")))
        #expect(!CodeVersion("nonsense").isCompatible(with: CodeVersion("1.16.0")))
    }
}
