// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Logging
import Synchronization

/// How much of the database's history this process has seen, so that a replica that has less is not read.
package final class ReplicaProgress: Sendable {
    private struct State {
        /// What a read has to show; `nil` while that is not known, and only the primary will do.
        var seen: String?
        /// Grows whenever something was seen whose position is not known.
        var unknowns = 0
        /// What the latest look at the feed brought.
        var feed: Int?
    }

    private let later: @Sendable (String, String) -> String
    private let state = Mutex(State())

    /// - Parameter dialect: Knows how positions compare.
    package init(_ dialect: Dialect) { later = dialect.laterPosition }

    /// A transaction of this process was committed at `position`, or another server announced one.
    package func note(_ position: String?) {
        state.withLock { state in
            guard let position else {
                state.seen = nil
                state.unknowns += 1
                return
            }
            if let seen = state.seen { state.seen = later(seen, position) }
        }
    }

    /// Whether a look at the feed brought something else than the one before.
    func isNews(_ feed: Int) -> Bool {
        state.withLock { state in
            defer { state.feed = feed }
            return state.feed != feed
        }
    }

    /// What the primary showed to a read that began when `unknowns` were known.
    fileprivate func note(read position: String?, _ unknowns: Int) {
        state.withLock { state in
            guard let position, unknowns == state.unknowns else { return }
            state.seen = state.seen.map { later($0, position) } ?? position
        }
    }

    fileprivate var current: (seen: String?, unknowns: Int) { state.withLock { ($0.seen, $0.unknowns) } }
}

/// Reads from a replica where it shows at least what this process has seen so far, else from the primary; writes go to
/// the primary. What is read never goes back in time.
///
/// A replica is always a moment behind. Turning to the primary at once would raise what has to be shown to the primary's
/// present, which the replica does not show at the next read either; so it is given that moment.
package final class ReplicaPool: SQLPool {
    private let primary: NetworkPool
    private let replica: NetworkPool
    private let progress: ReplicaProgress
    private let logger: Logger
    private let patience: Duration
    private let time: any TimeSource
    private let isComplaining = Mutex(false)
    /// Until when nobody waits for a replica that was waited for in vain.
    private let impatientUntil = Mutex<Duration?>(nil)

    /// How long a replica that lags is only asked, not waited for.
    static let pause: Duration = .seconds(1)

    package var dialect: Dialect { primary.dialect }

    /// - Parameters:
    ///   - progress: The one the primary's commits are noted in.
    ///   - patience: How long a read waits for the replica to show what was seen.
    package init(
        primary: NetworkPool, replica: NetworkPool, progress: ReplicaProgress, patience: Duration, time: any TimeSource,
        logger: Logger
    ) {
        self.patience = patience
        self.time = time
        self.primary = primary
        self.replica = replica
        self.progress = progress
        self.logger = logger
    }

    package func read<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection) throws -> Result
    ) async throws -> Result {
        let (seen, unknowns) = progress.current
        if let seen {
            do {
                let patience = currentPatience()
                let result = try await replica.readOnce(ifReached: seen, within: patience, body)
                complain(nil)
                note(hasReached: result != nil, waited: patience > .zero)
                // Replication takes a moment: being behind is nothing to remark on.
                if let result { return result }
            } catch let failure as SQLFailure {
                complain(failure.message)
            }
        }
        let (result, position) = try await primary.readKnowingPosition(body)
        progress.note(read: position, unknowns)
        return result
    }

    package func write<Result: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, WriteMode) throws -> Result
    ) async throws -> Result {
        try await primary.write(body)
    }

    private func currentPatience() -> Duration {
        let now = time.uptime
        return impatientUntil.withLock { until in until.map { now < $0 } ?? false } ? .zero : patience
    }

    private func note(hasReached: Bool, waited: Bool) {
        if !hasReached, !waited { return }
        let until = hasReached ? nil : time.uptime + Self.pause
        impatientUntil.withLock { $0 = until }
    }

    private func complain(_ reason: String?) {
        let isNews = isComplaining.withLock { isComplaining in
            defer { isComplaining = reason != nil }
            return isComplaining != (reason != nil)
        }
        guard isNews else { return }
        if let reason {
            logger.warning("Read replica cannot be used, reading from the primary", metadata: [LogKey.error: "\(reason)"])
        } else {
            logger.info("Read replica is used again")
        }
    }

    /// Closes the replica's connections; the primary's are closed by whoever made them.
    package func close() async { await replica.close() }
}
