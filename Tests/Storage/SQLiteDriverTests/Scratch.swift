// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging
import SQLDatastore
import SQLiteDriver
import TestKit

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A directory of its own for one test.
struct Scratch {
    let path: String

    init() {
        path = "/tmp/spire-store-" + SystemRandom().uuid()
        mkdir(path, 0o700)
    }

    func remove() { shell("rm -rf \(path)") }

    func open(
        _ name: String = "datastore.sqlite3", disableMigration: Bool = false, statements: StatementLog? = nil
    ) async throws -> SQLDatastore {
        var configuration = SQLDatastoreConfiguration(connectionString: path + "/" + name)
        configuration.disableMigration = disableMigration
        configuration.logSQL = statements != nil
        return try await SQLiteDatastore.open(
            configuration, time: ManualClock(), random: SystemRandom(),
            logger: statements?.logger ?? Logger(label: "test"))
    }

    /// Runs statements on a file by the sqlite3 program and returns what it printed.
    @discardableResult
    func sql(_ statements: String, on name: String = "datastore.sqlite3") -> String {
        let script = path + "/script.sql"
        let file = fopen(script, "w")
        fputs(statements, file)
        fclose(file)
        return shell("sqlite3 \(path)/\(name) < \(script) 2>&1")
    }

    @discardableResult
    func shell(_ command: String) -> String {
        guard let pipe = popen(command, "r") else { return "" }
        defer { pclose(pipe) }
        var out: [UInt8] = []
        while case let byte = fgetc(pipe), byte != EOF { out.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: out, as: UTF8.self)
    }
}

func memoryStore() async throws -> SQLDatastore {
    try await SQLiteDatastore.open(
        SQLDatastoreConfiguration(connectionString: ":memory:"), time: ManualClock(), random: SystemRandom(),
        logger: Logger(label: "test"))
}
