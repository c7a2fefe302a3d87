// SPDX-License-Identifier: Apache-2.0

import Groundwork

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A real database server with a streaming replica, in a temporary folder, that ends with this process
/// (`IntegrationTests/databases` makes it).
package struct ThrowawayServer: Sendable {
    package enum Kind: String, Sendable { case postgres, mariadb }
    package enum Role: String, Sendable { case primary, replica }

    package let kind: Kind
    package let folder: String
    private let values: [String: String]

    /// The one all tests of the process share, started when first asked for.
    package static func shared(_ kind: Kind) throws -> ThrowawayServer {
        try (kind == .postgres ? postgres : mariadb).get()
    }

    private static let postgres = Result { try make(.postgres) }
    private static let mariadb = Result { try make(.mariadb) }
    package static let postgresIsInstalled = isInstalled(.postgres)
    package static let mariadbIsInstalled = isInstalled(.mariadb)
    package static let advice = "the database server is not installed: dev/setup --tests"

    /// One that only the caller uses, to break it.
    package static func make(_ kind: Kind) throws -> ThrowawayServer {
        let folder = "/tmp/spire-db-" + SystemRandom().uuid()
        let result = run("\(script) start \(kind.rawValue) \(folder) \(getpid()) 2>&1")
        guard result.status == 0 else {
            throw ConformanceFailure(description: "the \(kind.rawValue) server does not start: \(result.output)")
        }
        return ThrowawayServer(kind: kind, folder: folder)
    }

    private static func isInstalled(_ kind: Kind) -> Bool { run("\(script) available \(kind.rawValue)").status == 0 }

    private init(kind: Kind, folder: String) {
        self.kind = kind
        self.folder = folder
        var values: [String: String] = [:]
        for line in Self.run("cat \(folder)/env").output.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        self.values = values
    }

    package subscript(_ name: String) -> String { values[name] ?? "" }

    package func port(_ role: Role) -> String { self[role == .primary ? "PORT" : "REPLICA_PORT"] }

    /// `stop`, `kill`, `run` or `promote`.
    package func order(_ action: String, _ role: Role = .primary) throws {
        let result = Self.run("\(Self.script) \(action) \(kind.rawValue) \(folder) \(role.rawValue) 2>&1")
        guard result.status == 0 else {
            throw ConformanceFailure(description: "\(action) of the \(role.rawValue) failed: \(result.output)")
        }
    }

    /// Creates an empty database. - Returns: its name.
    package func createDatabase() -> String {
        let name = "spire_" + SystemRandom().uuid().filter { $0 != "-" }
        sql("CREATE DATABASE \(name)", on: kind == .postgres ? "postgres" : "mysql")
        return name
    }

    /// In the form of the original's drivers.
    package func connectionString(_ database: String, _ role: Role = .primary, more: String? = nil) -> String {
        switch kind {
        case .postgres:
            """
            host=\(self["HOST"]) port=\(port(role)) user=\(self["USER"]) password=\(self["PASSWORD"]) dbname=\(database) \
            \(more ?? "sslmode=disable")
            """
        case .mariadb:
            """
            \(self["USER"]):\(self["PASSWORD"])@tcp(\(self["HOST"]):\(port(role)))/\(database)?parseTime=true\
            \(more.map { "&" + $0 } ?? "")
            """
        }
    }

    /// Runs statements as the server's administrator and returns the rows, a line each, columns separated by `|`.
    @discardableResult
    package func sql(_ statements: String, on database: String, _ role: Role = .primary) -> String {
        let file = folder + "-" + SystemRandom().uuid() + ".sql"
        defer { _ = Self.run("rm -f \(file)") }
        Self.write(statements, to: file)
        let result =
            switch kind {
            case .postgres:
                Self.run("psql -X -q -A -t -v ON_ERROR_STOP=1 -h \(folder) -p \(port(role)) -U \(self["USER"]) -d \(database) -f \(file) 2>&1")
            case .mariadb:
                Self.run(
                    "mariadb --no-defaults -u root --socket=\(folder)/\(role.rawValue).sock -N -B \(database) < \(file) 2>&1 | tr '\\t' '|'")
            }
        return result.output
    }

    /// Runs a program with the shell.
    package static func run(_ command: String) -> (output: String, status: Int32) {
        guard let pipe = unsafe popen(command, "r") else { return ("", -1) }
        var out: [UInt8] = []
        while case let byte = unsafe fgetc(pipe), byte != EOF { out.append(UInt8(truncatingIfNeeded: byte)) }
        let status = unsafe pclose(pipe)
        return (String(decoding: out, as: UTF8.self), status)
    }

    private static func write(_ text: String, to path: String) {
        guard let file = unsafe fopen(path, "w") else { return }
        unsafe fputs(text, file)
        unsafe fclose(file)
    }

    /// The repository's root, from this file's place in it.
    package static let root = #filePath.split(separator: "/").dropLast(5).reduce("") { $0 + "/" + $1 }
    private static let script = root + "/IntegrationTests/databases"
}
