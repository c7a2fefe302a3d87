// SPDX-License-Identifier: Apache-2.0

import AgentCore
import RPC

/// A way for an agent to learn of changes to its entries.
protocol EntryFollower: Sendable {
    /// Follows until cancelled or the connection fails.
    ///
    /// - Parameters:
    ///   - isFollowing: Called once nothing can be missed any more.
    ///   - seen: Called with each change.
    func follow(
        _ agent: SimulatedAgent, isFollowing: @escaping @Sendable () -> Void,
        _ seen: @escaping @Sendable (EntryNews) async -> Void
    ) async throws
}

/// Asks every few seconds, as the original's agents do.
struct PollFollower: EntryFollower {
    let interval: Duration

    func follow(
        _ agent: SimulatedAgent, isFollowing: @escaping @Sendable () -> Void,
        _ seen: @escaping @Sendable (EntryNews) async -> Void
    ) async throws {
        let clock = ContinuousClock()
        // A fleet that was started at once does not ask at once.
        var next = clock.now + interval * Double.random(in: 0..<1)
        while true {
            try await clock.sleep(until: next)
            let news = try await agent.synchronize()
            isFollowing()
            if !news.isEmpty { await seen(news) }
            next += interval
        }
    }
}

/// Keeps one stream open on which the server tells what changed, as this project's agents do.
struct PushFollower: EntryFollower {
    func follow(
        _ agent: SimulatedAgent, isFollowing: @escaping @Sendable () -> Void,
        _ seen: @escaping @Sendable (EntryNews) async -> Void
    ) async throws {
        while true {
            let isLeaving = WakeSignal()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await agent.stream(leaving: { isLeaving.raise() }) { news in
                        isFollowing()
                        if !news.isEmpty { await seen(news) }
                    }
                    throw RPCStatus(.unavailable, "the server ended the stream")
                }
                group.addTask {
                    guard await isLeaving.wait() else { return }
                    try await agent.connect()
                }
                defer { group.cancelAll() }
                try await group.next()
            }
            try Task.checkCancellation()
        }
    }
}
