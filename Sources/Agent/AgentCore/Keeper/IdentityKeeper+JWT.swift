// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Groundwork
import Logging
import RPC
import SPIFFE
import Synchronization

extension IdentityKeeper {
    /// Statuses after which asking again cannot help.
    private static let final: Set<StatusCode> = [
        .unknown, .cancelled, .deadlineExceeded, .invalidArgument, .unimplemented,
    ]

    /// A token for an entry's identity and an audience: a cached one while it is fresh, else a new one; a cached one
    /// that has not expired when no new one is to be had.
    /// - Throws: `agent.jwt_unavailable`.
    package func jwt(for entry: AgentEntry, audience: [String]) async throws -> WorkloadJWT {
        let key = JWTCache.Key(spiffeID: entry.spiffeID.description, audience: audience)
        let now = clocks.time.now
        let cached = state.withLock { $0.jwts.lookup(key) }
        if let cached, !isDue(cached, now) { return cached }
        let usable = cached.flatMap { $0.expiresAt > now ? $0 : nil }
        do {
            let fresh = try await fetchJWT(
                entry, audience, within: usable == nil ? Self.callTimeout : settings.jwtCacheHitTimeout)
            state.withLock { $0.jwts.insert(fresh, for: key) }
            return fresh
        } catch let error as CancellationError {
            throw error
        } catch {
            if let usable {
                logger.warning(
                    "Unable to renew JWT; returning cached copy",
                    metadata: [LogKey.spiffeID: "\(entry.spiffeID)", LogKey.error: "\(error)"])
                return usable
            }
            if cached == nil { throw error }
            throw SpireError(.jwtUnavailable, "unable to renew JWT for \"\(entry.spiffeID)\": \(error)")
        }
    }

    /// The token if it is cached and fresh: no waiting.
    package func cachedJWT(for entry: AgentEntry, audience: [String]) -> WorkloadJWT? {
        let key = JWTCache.Key(spiffeID: entry.spiffeID.description, audience: audience)
        guard let cached = state.withLock({ $0.jwts.lookup(key) }), !isDue(cached, clocks.time.now) else { return nil }
        return cached
    }

    private func isDue(_ token: WorkloadJWT, _ now: Date) -> Bool {
        RotationRule.isTokenDue(
            issuedAt: token.issuedAt, expiresAt: token.expiresAt, now: now, random: AnyRandom(clocks.random))
    }

    private func fetchJWT(_ entry: AgentEntry, _ audience: [String], within limit: Duration) async throws -> WorkloadJWT {
        let deadline = clocks.time.uptime + limit
        var backoff = Backoff(first: .seconds(1), cap: .seconds(24))
        while true {
            let left = deadline - clocks.time.uptime
            do {
                return try await server.signJWT(
                    entryID: entry.id, audience: audience, timeout: max(.milliseconds(1), left))
            } catch let error as CancellationError {
                throw error
            } catch {
                if let status = error as? RPCStatus, Self.final.contains(status.code) { throw error }
                if error is SpireError { throw error }
                let wait = backoff.next(AnyRandom(clocks.random))
                guard clocks.time.uptime + wait < deadline else { throw error }
                try await clocks.time.sleep(for: wait)
            }
        }
    }
}
