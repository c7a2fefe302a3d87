// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Logging
import RPC
import SPIFFE
import Synchronization

extension IdentityKeeper {
    /// How a stream of changes ended.
    private enum StreamEnd {
        /// The agent's identity was replaced: open another at once.
        case isOld
        /// The server asked the agent to go elsewhere: likewise.
        case moved
        /// The server, or this agent, lost count of what the agent holds.
        case mismatch
        /// The server has no such service.
        case unsupported
        case failed(any Error)
    }

    /// How long a server that cannot push, or whose pushes do not add up, is polled before it is asked again.
    private static let longPause: Duration = .seconds(600)
    /// A stream that lasted so long was a good one.
    private static let settled: Duration = .seconds(30)
    /// Over how long the agents of a server that stops arrive at others; changes go on coming over the old stream.
    private static let arrival: Duration = .milliseconds(500)
    /// Servers that may send the agent away one after the other before that counts as a failure.
    private static let patientMoves = 3

    /// The loop that keeps a stream of changes open. While it is, nothing is polled; whenever it is not, everything is as
    /// without it. A failure here never decides about the agent's life: the synchronisation that follows does.
    func followChanges() async throws {
        var backoff = Backoff(first: .seconds(1), multiplier: 2, jitter: 0.5, cap: .seconds(60))
        var (mismatches, moves) = (0, 0)
        while true {
            try Task.checkCancellation()
            let began = clocks.time.uptime
            var end = try await followOnce(askingForAll: mismatches > 0)
            if clocks.time.uptime - began >= Self.settled {
                (mismatches, moves) = (0, 0)
                if state.withLock({ $0.push.isLive }) { backoff.reset() }
            }
            if case .moved = end {
                moves += 1
                if moves > Self.patientMoves {
                    end = .failed(RPCStatus(.unavailable, "one server after the other sends this agent away"))
                }
            }
            let pause: Duration
            switch end {
            case .isOld:
                logger.debug("Agent SVID was replaced; opening another stream of changes")
                continue
            case .moved:
                logger.debug("Server asked this agent to go elsewhere; opening another stream of changes")
                continue
            case .mismatch:
                mismatches += 1
                pause = mismatches == 1 ? .zero : Self.longPause * (0.9 + 0.2 * clocks.random.unit())
                logger.warning(
                    mismatches == 1
                        ? "Entries differ from the server's; asking for all of them"
                        : "Entries still differ from the server's; polling for a while")
                stopFollowing(withDoubt: mismatches > 1)
            case .unsupported:
                mismatches = 0
                pause = Self.longPause * (0.9 + 0.2 * clocks.random.unit())
                logger.debug("Server does not push changes; polling")
                stopFollowing(withDoubt: false)
            case .failed(let error):
                pause = backoff.next(AnyRandom(clocks.random))
                logger.debug(
                    "Stream of changes ended; polling until it is open again",
                    metadata: [LogKey.error: "\(error)", LogKey.retryInterval: "\(GoDuration.text(pause))"])
                stopFollowing(withDoubt: (error as? RPCStatus)?.code == .permissionDenied)
            }
            try await clocks.time.sleep(for: pause)
        }
    }

    private func stopFollowing(withDoubt hasDoubt: Bool) {
        state.withLock { $0.push.ended(withDoubt: hasDoubt) }
        signingWanted.raise()
    }

    private func followOnce(askingForAll: Bool) async throws -> StreamEnd {
        _ = streamIsOld.take()
        let (begun, wasLive, generation) = state.withLock {
            ($0.push.start($0.cache), $0.push.isLive, $0.push.generation)
        }
        let start = askingForAll ? EntryPush.Start() : begun
        let isLeaving = Watch(false)
        let end = await withTaskGroup(of: StreamEnd?.self) { group in
            group.addTask { await self.follow(start, isLeaving) }
            group.addTask {
                await self.streamIsOld.wait()
                return .isOld
            }
            group.addTask { await self.prepareMove(isLeaving) }
            // Nothing is polled for a stream that takes another's place: it has to begin.
            if wasLive { group.addTask { await self.lateBeginning(after: generation) } }
            while let end = await group.next() {
                guard let end else { continue }
                group.cancelAll()
                return end
            }
            return .isOld
        }
        try Task.checkCancellation()
        return end
    }

    private func follow(_ start: EntryPush.Start, _ isLeaving: Watch<Bool>) async -> StreamEnd {
        let parts = Mutex(EntryPush())
        do {
            try await server.followEntries(start, leaving: { isLeaving.set(true) }) { part, more in
                if let change = try parts.withLock({ try $0.received(part, more: more) }) { try await take(change) }
            }
            return isLeaving.value ? .moved : .failed(RPCStatus(.unavailable, "the server ended the stream"))
        } catch is Mismatch {
            return .mismatch
        } catch let status as RPCStatus where status.code == .unimplemented {
            return .unsupported
        } catch let status as RPCStatus where status.code == .unavailable && isLeaving.value {
            return .moved
        } catch {
            return .failed(error)
        }
    }

    /// Once the server asks the agent to go: makes another connection, while changes go on coming over the old one.
    private func prepareMove(_ isLeaving: Watch<Bool>) async -> StreamEnd? {
        for await isAsked in isLeaving.changes() where isAsked { break }
        var backoff = Backoff(first: .milliseconds(200), multiplier: 2, jitter: 0.5, cap: .seconds(5))
        do {
            try await clocks.time.sleep(for: Self.arrival * clocks.random.unit())
            while true {
                do {
                    try await server.connect(timeout: Self.callTimeout)
                    return .moved
                } catch {
                    try Task.checkCancellation()
                    let pause = backoff.next(AnyRandom(clocks.random))
                    logger.debug(
                        "Server asked this agent to go elsewhere, but no other can be reached yet",
                        metadata: [LogKey.error: "\(error)", LogKey.retryInterval: "\(GoDuration.text(pause))"])
                    try await clocks.time.sleep(for: pause)
                }
            }
        } catch {
            return nil
        }
    }

    private func lateBeginning(after generation: UInt64) async -> StreamEnd? {
        do { try await clocks.time.sleep(for: Self.callTimeout) } catch { return nil }
        let hasBegun = state.withLock { $0.push.generation != generation }
        return hasBegun ? nil : .failed(RPCStatus(.deadlineExceeded, "the server does not begin the stream"))
    }

    /// What the agent holds is not what the server says it should be.
    private struct Mismatch: Error {}

    /// Takes over a pushed change, and has signed what came with it.
    func take(_ change: EntryPush.Change) async throws {
        let now = clocks.time.now
        let (changes, changedBundles, own, isRight, wasLive) = try state.withLock { state in
            var needed: Set<TrustDomain>?
            if change.isComplete { needed = Set(change.entries.flatMap(\.federatesWith)) }
            let bundles = state.cache.bundles(with: change.bundles, without: change.removedDomains, needed: needed)
            let own = bundles[settings.trustDomain]
            guard let own, !own.x509Authorities.isEmpty else {
                throw SpireError(.serverAnswer, "the server sent a bundle without authorities")
            }
            let changedBundles = state.cache.replaceBundles(bundles)
            let changes =
                change.isComplete
                ? state.cache.apply(.complete(change.entries))
                : state.cache.apply(changed: change.entries, removed: change.removed + change.rejected.map(\.id))
            state.cache.publish()
            state.push.note(change)
            state.push.fresh.formUnion(changes.added.map(\.id))
            state.push.fresh.formUnion(changes.updated.map(\.id))
            let isRight = change.digest.map { $0 == state.push.digest(state.cache) } ?? true
            let wasLive = state.push.isLive
            if isRight {
                state.push.isLive = true
                state.lastSync = now
            } else {
                state.push.position = nil
            }
            return (changes, changedBundles, own, isRight, wasLive)
        }
        if isRight, !wasLive { logger.debug("Changes are pushed by the server") }
        log(changes)
        if changedBundles.contains(settings.trustDomain) { try await use(own) }
        if !changedBundles.isEmpty { processTaints() }
        if !isRight { throw Mismatch() }
        if !wasLive {
            try await noteTrust()
            signingWanted.raise()
        } else if !changes.added.isEmpty || !changes.updated.isEmpty {
            signingWanted.raise()
        }
    }
}
