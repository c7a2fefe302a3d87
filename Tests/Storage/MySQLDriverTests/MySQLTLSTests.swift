// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging
import MySQLDriver
import SQLDatastore
import TestKit
import Testing

@Suite(.enabled(if: ThrowawayServer.mariadbIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct MySQLTLSTests {
    /// - Returns: `opened`, or why not.
    private func open(more: String? = nil, _ change: (inout SQLDatastoreConfiguration) -> Void = { _ in }) async throws -> String {
        let server = try ThrowawayServer.shared(.mariadb)
        var configuration = SQLDatastoreConfiguration(
            connectionString: server.connectionString(server.createDatabase(), more: more))
        change(&configuration)
        do {
            let store = try await MySQLDatastore.open(
                configuration, time: SystemTime(), random: SystemRandom(), logger: Logger(label: "test"))
            await store.close()
            return "opened"
        } catch {
            return "\(error)"
        }
    }

    @Test("the server's certificate is checked against root_ca_path")
    func root() async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        #expect(try await open { $0.rootCAPath = server["CA"] } == "opened")
        #expect(try await open { $0.rootCAPath = server["OTHER_CA"] } != "opened")
        #expect(try await open(more: "tls=true") != "opened")
        #expect(try await open(more: "tls=skip-verify") == "opened")
        #expect(try await open(more: "tls=preferred") == "opened")
    }

    @Test("files that are not what they should be are refused in the original's words")
    func files() async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let prefix = "datastore-sql: invalid mysql config: "
        #expect(
            try await open { $0.rootCAPath = "/nonexistent" } == prefix + "cannot find Root CA defined in root_ca_path")
        #expect(
            try await open { $0.rootCAPath = server.folder + "/env" }
                == prefix + "failed to parse Root CA defined in root_ca_path")
        #expect(
            try await open {
                $0.clientCertPath = server["CA"]
                $0.clientKeyPath = "/nonexistent"
            } == prefix + "failed to load client certificate defined in client_cert_path and client_key_path")
    }

    @Test("a wrong password is refused at once and not shown")
    func password() async throws {
        let server = try ThrowawayServer.shared(.mariadb)
        let database = server.createDatabase()
        let text = server.connectionString(database).replacing(":secret@", with: ":hush@")
        let said = try await open { $0.connectionString = text }
        #expect(said.contains("Access denied for user 'spire'") && !said.contains("hush"))
    }
}
