// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Logging

/// Hears of other servers' commits from the database itself, where it can tell.
package protocol ChangeListener: Sendable {
    /// Listens until cancelled or the connection is lost. Calls `heard` once it listens, as something may have happened
    /// before, and then after every announcement.
    /// - Throws: `SQLFailure` when the connection cannot be made or is lost.
    func listen(_ heard: @escaping @Sendable (_ position: String?) -> Void) async throws
}

extension SQLDatastore {
    /// Tells this process's followers of what other servers on the database have changed: at once where the database
    /// announces it, and within `pollInterval` for servers that do not announce. Runs until cancelled.
    package func followOtherServers(pollInterval: Duration = .milliseconds(900)) async throws {
        guard pool.dialect.isRemote else {
            // The database is this process's own.
            while true { try await time.sleep(for: .seconds(86_400)) }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let listener { group.addTask { [self] in try await follow(listener) } }
            group.addTask { [self] in try await poll(every: pollInterval) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func follow(_ listener: any ChangeListener) async throws {
        while true {
            do {
                try await listener.listen { [self] position in
                    progress?.note(position)
                    localChanges.update { $0 &+= 1 }
                }
            } catch let failure as SQLFailure {
                logger.warning("Not hearing of other servers' changes at once", metadata: [LogKey.error: "\(failure)"])
            }
            try await time.sleep(for: .seconds(1))
        }
    }

    private func poll(every interval: Duration) async throws {
        var known: [Int64]?
        while true {
            try await time.sleep(for: interval)
            do {
                let latest = try await pool.read { connection in
                    var latest: [Int64] = []
                    try connection.query(Self.latestEvents, []) { latest = [$0.integer(0), $0.integer(1)] }
                    return latest
                }
                // At the first look too: something may have happened before.
                if known != latest {
                    progress?.note(nil)
                    localChanges.update { $0 &+= 1 }
                }
                known = latest
            } catch is SpireError {
                // The database is away; whoever needs it says so.
            }
        }
    }

    private static let latestEvents = """
        SELECT (SELECT MAX(id) FROM registered_entries_events) AS entries, \
        (SELECT MAX(id) FROM attested_node_entries_events) AS nodes
        """
}
