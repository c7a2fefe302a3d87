// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import SQLDatastore
import TestKit
import Testing

@Suite(.enabled(if: ThrowawayServer.postgresIsInstalled, Comment(rawValue: ThrowawayServer.advice)))
struct PostgresTLSTests {
    private func open(_ more: String) async throws -> String {
        let server = try ThrowawayServer.shared(.postgres)
        do {
            let store = try await openStore(server.createDatabase(), more: more)
            await store.close()
            return "opened"
        } catch {
            return "\(error)"
        }
    }

    @Test("TLS as the connection string says")
    func modes() async throws {
        let server = try ThrowawayServer.shared(.postgres)
        #expect(try await open("sslmode=require") == "opened")
        #expect(try await open("") == "opened")
        #expect(try await open("sslmode=verify-full sslrootcert=\(server["CA"])") == "opened")
        #expect(try await open("sslmode=verify-full sslrootcert=\(server["OTHER_CA"])").contains("certificate verify failed"))
        #expect(try await open("sslmode=verify-full sslrootcert=/nonexistent").contains("root certificate file"))
    }

    @Test("a wrong password is refused at once and not shown")
    func password() async throws {
        let said = try await open("sslmode=disable password=hush")
        #expect(said.contains("password authentication failed for user \"spire\"") && !said.contains("hush"))
    }
}
