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
    /// Tells this process's followers at once of what other servers on the database have changed, where the database
    /// announces it. Where it does not, and of servers that announce nothing, followers learn by looking at the feed.
    /// Runs until cancelled.
    package func followOtherServers() async throws {
        guard let listener else {
            while true { try await time.sleep(for: .seconds(86_400)) }
        }
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
}
