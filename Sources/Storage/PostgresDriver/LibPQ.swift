// SPDX-License-Identifier: Apache-2.0

import CPostgres
import SQLDatastore

/// The functions of libpq, loaded when first asked for.
struct LibPQ: Sendable {
    /// Filled once and never changed.
    nonisolated(unsafe) private static let functions = UnsafeMutablePointer<spire_libpq>.allocate(capacity: 1)

    private static let problem: String? = {
        functions.initialize(to: spire_libpq())
        return spire_libpq_load(functions).map { String(cString: $0) }
    }()

    /// - Throws: `unusable`, with what to install, when the library is not there.
    static func load() throws -> LibPQ {
        if let problem {
            throw SQLFailure(
                .unusable,
                "database_type \"postgres\" needs PostgreSQL's client library, libpq 14 or newer (Debian: libpq5): "
                    + problem)
        }
        return LibPQ()
    }

    var call: spire_libpq { Self.functions.pointee }
}
