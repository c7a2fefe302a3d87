// SPDX-License-Identifier: Apache-2.0

import APIProtos
import RPC

/// A way for an agent to learn of changes to its entries.
protocol EntryFollower: Sendable {
    /// Follows until cancelled or the connection fails. `seen` is called with each entry the agent did not know.
    ///
    /// - Parameter known: Entry ids the agent has already; kept up to date.
    func follow(
        _ agent: SimulatedAgent, _ known: inout Set<String>, _ seen: @Sendable ([Spire_Api_Types_Entry]) async -> Void
    ) async throws
}

/// Asks every few seconds, as the original's agents do.
struct PollFollower: EntryFollower {
    let interval: Duration

    func follow(
        _ agent: SimulatedAgent, _ known: inout Set<String>, _ seen: @Sendable ([Spire_Api_Types_Entry]) async -> Void
    ) async throws {
        let clock = ContinuousClock()
        // A fleet that was started at once does not ask at once.
        var next = clock.now + interval * Double.random(in: 0..<1)
        while true {
            try await clock.sleep(until: next)
            let have = known
            let (news, present) = try await agent.synchronize { have.contains($0) }
            if !news.isEmpty { await seen(news) }
            known = present
            next += interval
        }
    }
}
