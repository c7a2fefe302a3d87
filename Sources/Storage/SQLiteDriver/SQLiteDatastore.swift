// SPDX-License-Identifier: Apache-2.0

package import Datastore
package import Groundwork
package import Logging
package import SQLDatastore

/// The datastore on SQLite.
package enum SQLiteDatastore {
    /// Opens the database, creating it or upgrading its schema where need be.
    ///
    /// - Throws: `unknown` naming the file and the reason: unreadable, not a database, of an unsupported schema.
    package static func open(
        _ configuration: SQLDatastoreConfiguration, time: any TimeSource, random: any RandomSource, logger: Logger
    ) async throws -> any Datastore & ChangeNotifier & Sendable {
        throw SpireError(.unavailable, "the SQLite datastore is not part of this build")
    }
}
