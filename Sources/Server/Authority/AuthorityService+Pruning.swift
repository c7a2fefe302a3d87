// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging
import Synchronization
import Telemetry

extension AuthorityService {
    static let bundlePruneInterval: Duration = .seconds(6 * 3600)
    static let journalPruneInterval: Duration = .seconds(8 * 3600)
    /// How long an expired authority stays in the trust bundle, in seconds.
    static let bundleSafetyMargin: Int64 = 24 * 3600
    /// How long after its last authority's end a server's record stays, in seconds.
    static let journalSafetyMargin: Int64 = 14 * 86_400

    /// Removes authorities from the trust bundle that expired a day ago. A failure is logged.
    package func pruneBundle() async {
        do {
            let changed = try await meters.pruned.measure(time) {
                try await turn.take { () -> Bool in
                    let changed = try await store.pruneBundle(
                        trustDomainID: trustDomainID, expiredBefore: now - Self.bundleSafetyMargin)
                    if changed { try await refreshBundle() }
                    return changed
                }
            }
            if changed { meters.changed.add() }
            if changed { logger.info("Expired certs were successfully pruned from bundle") }
        } catch {
            logger.error("Could not prune CA certificates", metadata: [LogKey.error: "\(error)"])
        }
    }

    /// Removes the records of servers whose last authority ended two weeks ago. A failure is logged.
    package func pruneJournals() async {
        do {
            // Under the name of the bundle's, as in the original.
            try await meters.pruned.measure(time) { try await pruneJournalRows() }
        } catch {
            logger.error("Could not prune CA journals", metadata: [LogKey.error: "\(error)"])
        }
    }

    private func pruneJournalRows() async throws {
        let own = state.withLock { $0.journal.rowID }
        for stored in try await store.listCAJournals() where stored.id != own {
            guard let journal = try? AuthorityJournal(stored), let end = journal.lastExpiry else { continue }
            if end < now - Self.journalSafetyMargin {
                try await store.deleteCAJournal(id: stored.id)
                logger.info("CA journal pruned", metadata: ["ca_journal_id": "\(stored.id)"])
            }
        }
    }
}
