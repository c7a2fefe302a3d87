// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Logging
import ServiceLifecycle

/// One kind of clean-up, repeated for as long as the server runs. A failed round is logged and the next one waited for.
struct Pruner: Service {
    let interval: Duration
    let failure: Logger.Message
    let time: any TimeSource
    let logger: Logger
    let round: @Sendable () async throws -> Void

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try await time.sleep(for: interval)
                do {
                    try await round()
                } catch is CancellationError {
                    return
                } catch {
                    logger.error(failure, metadata: [LogKey.error: "\(error)"])
                }
            }
        }
    }
}

extension Pruner {
    /// Removes entries that have an expiry and are past it.
    static func entries(_ store: any EntryWriter, time: any TimeSource, logger: Logger) -> Pruner {
        Pruner(interval: .seconds(300), failure: "Failed to prune entries", time: time, logger: logger) {
            for entry in try await store.pruneEntries(expiredBefore: time.unixNow) {
                logger.info(
                    "Pruned an expired registration",
                    metadata: [
                        LogKey.spiffeID: "\(entry.spiffeID)", LogKey.parentID: "\(entry.parentID)",
                        LogKey.entryID: "\(entry.id)",
                    ])
            }
        }
    }

    /// Removes agents that expired long ago.
    static func nodes(
        _ store: any NodeWriter, _ settings: ServerConfig.NodePruning, time: any TimeSource,
        random: any RandomSource, logger: Logger
    ) -> Pruner {
        // Servers on one database must not all prune at once.
        let interval: Duration = .seconds(3600 + 900 * (2 * random.unit() - 1))
        return Pruner(interval: interval, failure: "Failed to prune attested nodes", time: time, logger: logger) {
            let cutoff = time.unixNow - settings.expiredFor.components.seconds
            var count = 0
            while count < settings.batchSize {
                let step = min(nodeStep, settings.batchSize - count)
                let pruned = try await store.pruneNodes(
                    expiredBefore: cutoff, includingNonReattestable: settings.includesTOFU, limit: step)
                count += pruned
                if pruned < step { break }
            }
            if count > 0 { logger.info("Pruned expired agents", metadata: [LogKey.count: "\(count)"]) }
        }
    }

    /// Agents removed in one transaction, so that others attest in between.
    private static let nodeStep = 100

    /// Removes change events nobody needs any more.
    static func events(
        _ store: any EventReader, olderThan age: Duration, time: any TimeSource, logger: Logger
    ) -> Pruner {
        Pruner(interval: age / 2, failure: "Error pruning events", time: time, logger: logger) {
            try await store.pruneEvents(olderThan: time.unixNow - age.components.seconds)
        }
    }
}

extension TimeSource {
    var unixNow: Int64 { Int64(now.timeIntervalSince1970) }
}
