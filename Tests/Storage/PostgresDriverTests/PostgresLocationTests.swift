// SPDX-License-Identifier: Apache-2.0

import Groundwork
import PostgresDriver
import Testing

@Suite struct PostgresLocationTests {
    private func parameters(_ text: String, _ environment: [String: String] = [:]) throws -> [String: String] {
        let location = try PostgresLocation(text, environment: { environment[$0] })
        let added = [
            "gssencmode", "fallback_application_name", "connect_timeout", "keepalives_idle", "keepalives_interval",
            "keepalives_count", "tcp_user_timeout", "client_encoding",
        ]
        return location.parameters.filter { !added.contains($0.key) }
    }

    private func failure(_ text: String) -> String {
        do {
            return "\(try parameters(text))"
        } catch {
            return "\(error)"
        }
    }

    @Test("keys and values are read with quotes, escapes and spaces")
    func pairs() throws {
        #expect(
            try parameters(" dbname = spire  user='o\\'hara x' password=a\\ b\\\\ host=db port=5433 sslmode=disable")
                == [
                    "dbname": "spire", "user": "o'hara x", "password": "a b\\", "host": "db", "port": "5433",
                    "sslmode": "disable",
                ])
        #expect(try parameters("dbname=''")["dbname"] == "")
    }

    @Test("URLs are read with several hosts, IPv6, escapes and settings")
    func urls() throws {
        #expect(
            try parameters("postgres://u%40x:p%3Aq@[::1]:5433,db2/spire?sslmode=verify-full&sslrootcert=%2Fca.pem")
                == [
                    "user": "u@x", "password": "p:q", "host": "::1,db2", "port": "5433,", "dbname": "spire",
                    "sslmode": "verify-full", "sslrootcert": "/ca.pem", "target_session_attrs": "read-write",
                ])
        #expect(
            try parameters("postgresql:///spire?host=/run/pg&sslmode=disable")
                == ["dbname": "spire", "host": "/run/pg", "sslmode": "disable"])
    }

    @Test("what is not said is as the original has it: TLS, and localhost")
    func defaults() throws {
        #expect(try parameters("dbname=s") == ["dbname": "s", "host": "localhost", "sslmode": "require"])
        #expect(try parameters("dbname=s", ["PGHOST": "x", "PGSSLMODE": "disable"]) == ["dbname": "s"])
        #expect(try parameters("service=s") == ["service": "s"])
    }

    @Test("other keys are settings of the session, those of the original's driver alone are passed over")
    func settings() throws {
        #expect(
            try parameters("dbname=s host=h sslmode=disable search_path='a b' statement_timeout=5s binary_parameters=yes")[
                "options"] == "-c search_path=a\\ b -c statement_timeout=5s")
        #expect(failure("dbname=s a-b=c") == "datastore-sql: connection_string: \"a-b\" is not a parameter")
    }

    @Test("what is wrong is said in the original's words, and without the password", arguments: [
        ("", "datastore-sql: connection_string must be set"),
        ("password=hush oops", "datastore-sql: connection_string: missing \"=\" after the first 18 characters"),
        ("spire:hush@tcp(db:3306)/spire?parseTime=true", "datastore-sql: connection_string: what stands before a \"=\" is not a parameter"),
        ("password='hush", "datastore-sql: unterminated quoted string literal in connection string"),
        ("password=hush\\", "datastore-sql: missing character after backslash"),
        ("client_encoding=LATIN1 password=hush", "datastore-sql: client_encoding must be absent or 'UTF8'"),
        ("datestyle=German", "datastore-sql: setting datestyle must be absent or \"ISO, MDY\""),
        ("postgres://u:hush@h:port/d", "datastore-sql: connection_string: invalid port"),
        ("postgres://u:hush%zz@h/d", "datastore-sql: connection_string: invalid URL escape"),
    ])
    func refusals(text: String, message: String) {
        #expect(failure(text) == message)
        #expect(!failure(text).contains("hush"))
    }
}
