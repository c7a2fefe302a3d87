// SPDX-License-Identifier: Apache-2.0

import CMySQL
import SQLDatastore

/// The functions of MariaDB Connector/C, loaded when first asked for.
struct LibMariaDB: Sendable {
    /// Filled once and never changed.
    nonisolated(unsafe) private static let functions = UnsafeMutablePointer<spire_libmariadb>.allocate(capacity: 1)

    private static let problem: String? = {
        functions.initialize(to: spire_libmariadb())
        return spire_libmariadb_load(functions).map { String(cString: $0) }
    }()

    /// - Throws: `unusable`, with what to install, when the library is not there.
    static func load() throws -> LibMariaDB {
        if let problem {
            throw SQLFailure(
                .unusable,
                "database_type \"mysql\" needs MariaDB's client library (Debian: libmariadb3): " + problem)
        }
        return LibMariaDB()
    }

    var call: spire_libmariadb { Self.functions.pointee }
}
