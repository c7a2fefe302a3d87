// SPDX-License-Identifier: Apache-2.0

package import APIProtos
package import EntryIndex
import FoundationEssentials
package import Groundwork
import Logging
package import RPC
package import SPIFFE
import Wire
import X509

/// `swiftspire.api.server.entry.v1.EntryPush`: tells agents what changes for them, instead of being asked every few seconds.
///
/// SPIRE has no such service; agents that find none go on asking.
package struct EntryPushService: APIService {
    let mapping: EntryMapping
    let index: EntryIndex
    let bundles: BundleCache
    let agents: AgentCheck
    let time: any TimeSource

    /// Bundles an agent may say that it holds.
    static let bundleLimit = 10_000
    /// How long after the last change the agent is told what it should hold now.
    static let settling: Duration = .seconds(5)
    /// How long a stream that never settles goes without.
    static let longestUnchecked: Duration = .seconds(60)

    package init(
        trustDomain: TrustDomain, index: EntryIndex, bundles: BundleCache, agents: AgentCheck, time: any TimeSource
    ) {
        mapping = EntryMapping(IDRules(trustDomain))
        self.index = index
        self.bundles = bundles
        self.agents = agents
        self.time = time
    }

    package func add(to table: inout ServiceTable) {
        table.serve(EntryPushMethods.streamAuthorizedEntries, stream)
    }

    package func stream(
        _ request: Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesRequest,
        _ responses: ResponseWriter<Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesResponse>, _ call: Call
    ) async throws {
        if request.hasOutputMask, !(request.outputMask.revisionNumber && request.outputMask.createdAt) {
            throw APIFailure.invalid("revision number and creation time cannot be masked")
        }
        let agent = try call.requireID()
        guard let follower = index.follow(agentID: agent.description) else {
            throw APIFailure(.internal, "caller ID is not of this trust domain")
        }
        defer { follower.end() }
        var session = PushSession(
            self, follower, responses, mask: EntryMask(request.hasOutputMask ? request.outputMask : nil), call)
        session = try await inOwnTask { [session] in
            // From here on changes of the agent's record ring; one between the call's admission and here did not.
            try await recheck(call)
            var session = session
            try await session.start(request)
            return session
        }
        var clock = CheckClock()
        while true {
            let left = try lifeLeft(call)
            try await follower.wait(atMost: min(left, clock.wait(time.uptime)))
            _ = try lifeLeft(call)
            (session, clock) = try await inOwnTask { [session, clock] in
                var (session, clock) = (session, clock)
                try await tell(follower, &session, &clock, call)
                return (session, clock)
            }
        }
    }

    /// Sends what there is to be said after a wait.
    private func tell(
        _ follower: AgentFollower, _ session: inout PushSession, _ clock: inout CheckClock, _ call: Call
    ) async throws {
        let isCheckDue = clock.isDue(time.uptime)
        let news = follower.news(withDigest: isCheckDue)
        if news.isSuperseded { throw RPCStatus(.aborted, "a newer stream of this agent took this one's place") }
        if news.concernsAgent { try await recheck(call) }
        if case .unknown = news.entries {
            try await session.restart()
            clock.checked()
            return
        }
        let isNews = if case .some = news.entries { true } else { false }
        if isNews || !news.bundles.isEmpty || (isCheckDue && news.digest != nil) {
            try await session.send(news)
        }
        if isCheckDue, news.digest != nil { clock.checked() } else if isNews || news.wantsCheck || isCheckDue {
            clock.changed(time.uptime)
        }
    }

    /// How long the caller's certificate goes on being one.
    private func lifeLeft(_ call: Call) throws -> Duration {
        guard case .mutualTLS(let leaf, _, _) = call.context.peerIdentity else { return .seconds(86_400) }
        let left = leaf.notValidAfter.timeIntervalSince(time.now)
        guard left >= 0 else { throw AgentRefusal.expired.status(call.context.method) }
        // The certificate counts until its last moment has passed.
        return .seconds(min(left + 0.001, 86_400))
    }

    /// Ends the stream of an agent that is no longer served.
    private func recheck(_ call: Call) async throws {
        guard case .mutualTLS(let leaf, let id, _) = call.context.peerIdentity else { return }
        do {
            try await agents.recheck(id: id, leaf: leaf)
        } catch let refusal as AgentRefusal {
            call.logger.info("\(refusal.logMessage)")
            throw refusal.status(call.context.method)
        }
    }
}

/// When a stream next tells its agent what it should hold: some seconds after its last change, or a minute after the first.
struct CheckClock {
    private var firstChange: Duration?
    private var lastChange: Duration = .zero

    private var due: Duration? {
        firstChange.map { min(lastChange + EntryPushService.settling, $0 + EntryPushService.longestUnchecked) }
    }

    mutating func changed(_ now: Duration) {
        if firstChange == nil || isDue(now) { firstChange = now }
        lastChange = now
    }

    mutating func checked() { firstChange = nil }

    func isDue(_ now: Duration) -> Bool { due.map { $0 <= now } ?? false }

    func wait(_ now: Duration) -> Duration { due.map { max(.milliseconds(1), $0 - now) } ?? .seconds(86_400) }
}
