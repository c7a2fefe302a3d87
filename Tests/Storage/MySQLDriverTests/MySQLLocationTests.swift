// SPDX-License-Identifier: Apache-2.0

import Groundwork
import SQLDatastore
import Testing

@testable import MySQLDriver

@Suite struct MySQLLocationTests {
    private func failure(_ text: String) -> String {
        do {
            _ = try MySQLLocation(text)
            return "taken"
        } catch {
            return "\(error)"
        }
    }

    @Test("the original's form is read")
    func reading() throws {
        let full = try MySQLLocation(
            "us:er:p@ss/w:rd@tcp(db.example:3307)/spire%2Fx?parseTime=true&tls=skip-verify&timeout=1500ms&"
                + "transaction_isolation=%27READ-COMMITTED%27&collation=utf8mb4_bin")
        #expect(full.user == "us" && full.password == "er:p@ss/w:rd" && full.database == "spire/x")
        #expect(full.hosts == [.init(name: "db.example", port: 3307)] && full.tls == .unverified)
        #expect(full.connectTimeout == 2 && full.collation == "utf8mb4_bin")
        #expect(full.settings.map(\.name) == ["transaction_isolation"])
        #expect(full.settings.map(\.value) == ["'READ-COMMITTED'"])
        let bare = try MySQLLocation("/spire?parseTime=1")
        #expect(bare.hosts == [.init(name: "127.0.0.1", port: 3306)] && bare.tls == .off && bare.user.isEmpty)
        let several = try MySQLLocation("u@tcp(a,[::1]:1)/s?parseTime=True")
        #expect(several.hosts == [.init(name: "a", port: 3306), .init(name: "::1", port: 1)])
        let socket = try MySQLLocation("u@unix(/run/my.sock)/s?parseTime=true")
        #expect(socket.socket == "/run/my.sock" && socket.hosts.isEmpty)
        #expect(try MySQLLocation("/s?parseTime=true&tls=false", hasTLSFiles: true).tls == .verified)
    }

    @Test("what is wrong is said in the original's words, and without the password", arguments: [
        ("", "datastore-sql: connection_string must be set"),
        ("u:hush@tcp(h)", "datastore-sql: invalid DSN: missing the slash separating the database name"),
        ("u:hush@tcp(h/d", "datastore-sql: invalid DSN: network address not terminated (missing closing brace)"),
        ("u:hush@tcp(h)x/d", "datastore-sql: invalid DSN: did you forget to escape a param value?"),
        ("u:hush@pipe(h)/d", "datastore-sql: default addr for network 'pipe' unknown"),
        ("u:hush@/d", "datastore-sql: invalid mysql config: missing parseTime=true param in connection_string"),
        (
            "u:hush@/d?parseTime=false",
            "datastore-sql: invalid mysql config: missing parseTime=true param in connection_string"
        ),
        ("u:hush@/d?parseTime=yes", "datastore-sql: invalid bool value: yes"),
        ("u:hush@/d?parseTime=true&tls=mine", "datastore-sql: invalid value / unknown config name: mine"),
        ("u:hush@/d?parseTime=true&timeout=5", "datastore-sql: time: invalid duration \"5\""),
        (
            "u:hush@/d?parseTime=true&loc=Local",
            "datastore-sql: connection_string: loc must be UTC; in another zone times in the database would be misread"
        ),
        ("u:hush@/d?parseTime=true&a-b=1", "datastore-sql: connection_string: \"a-b\" is not a parameter"),
        ("/a?hush' dbname=spire", "datastore-sql: connection_string: what stands before a \"=\" is not a parameter"),
        (
            "u:hush(h)/d?parseTime=true",
            "datastore-sql: invalid DSN: what stands before the address is no network such as tcp or unix"
        ),
        // Strings of another form: what is taken for a value or a network is, or holds, the password.
        ("/b?tls=x hush y", "datastore-sql: connection_string: tls is none of true, false, skip-verify and preferred"),
        ("/b?tls=%68ush7", "datastore-sql: connection_string: tls is none of true, false, skip-verify and preferred"),
        ("/b?parseTime=hush1", "datastore-sql: connection_string: parseTime is neither true nor false"),
        ("/b?compress=", "datastore-sql: connection_string: compress is neither true nor false"),
        ("/b?timeout=9hush", "datastore-sql: connection_string: timeout is no duration such as 90s"),
        ("hush77/d", "datastore-sql: invalid DSN: what stands before the address is no network such as tcp or unix"),
        ("u@tcp6(h)/d", "datastore-sql: default addr for network 'tcp6' unknown"),
        ("u:hush@/d?parseTime=true&x=1;DROP", "datastore-sql: connection_string: x has no valid value"),
    ])
    func refusals(text: String, message: String) {
        #expect(failure(text) == message)
        #expect(!failure(text).contains("hush"))
    }
}
