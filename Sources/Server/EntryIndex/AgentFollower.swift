// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork
import Synchronization

/// One stream's view of what one agent is authorized for: waits for changes and says what they are.
///
/// One task uses it, and calls `end` when it is done.
package final class AgentFollower: Sendable {
    /// What changed since the last look.
    package struct News: Sendable {
        /// Which entries changed.
        package enum Entries: Sendable {
            case none
            /// Those the agent may obtain, as they are now, and ids of those it may not obtain (any longer).
            case some(changed: [RegistrationEntry], removed: [String])
            /// Too many to say: compare, or send everything.
            case unknown
        }

        package var entries: Entries
        /// The agent's own record changed, or may have: check whether it may still be served.
        package var concernsAgent: Bool
        /// Compare digests.
        package var wantsCheck: Bool
        /// Trust domain IDs whose bundle changed.
        package var bundles: Set<String>
        /// A newer stream took this one's place.
        package var isSuperseded: Bool
        /// What the agent holds once the news have been applied; `nil` unless asked for, and when a change was going on.
        package var digest: SetDigest?
        /// Where the stream stands once the news have been sent.
        package var position: StreamPosition
    }

    private let index: EntryIndex
    private let board: AgentBoard
    private let agentID: String
    private let path: String
    private let number: UInt64
    private let bell: Watch<UInt64>
    private let heard = Mutex<UInt64>(0)

    init(_ index: EntryIndex, _ board: AgentBoard, agentID: String, path: String) {
        self.index = index
        self.board = board
        self.agentID = agentID
        self.path = path
        (number, bell) = board.open(path)
    }

    package func end() { board.close(path, number) }

    /// Goes back to where the agent says that it was. - Returns: whether everything since then is known.
    package func resume(from position: StreamPosition) -> Bool { board.resume(path, number, from: position) }

    /// Says of which trust domains the stream has sent bundles.
    package func note(domains: Set<String>) { board.note(path, number, domains: domains) }

    /// Everything the agent is authorized for, with the place in history it belongs to.
    package func everything() -> (set: AuthorizedSet, position: StreamPosition) {
        // The mailbox first: what is posted after this look is in the set already, and is looked at once more.
        let revision = board.skip(path, number)
        return (index.set(agentID: agentID, in: index.snapshot), StreamPosition(epoch: board.epoch, revision: revision))
    }

    /// The set as it is now, without moving on.
    package func set() -> AuthorizedSet { index.set(agentID: agentID, in: index.snapshot) }

    /// What came since the last look, without waiting.
    package func news(withDigest: Bool = false) -> News {
        let before = board.calm
        let found = board.take(path, number)
        let snapshot = index.snapshot
        // The digest must not count a change that is in the snapshot and not in the news yet.
        let isCalm = before != nil && board.calm == before
        var entries = News.Entries.none
        if let keys = found.keys {
            if !keys.isEmpty {
                let (changed, removed) = index.judge(keys, agentID: agentID, in: snapshot)
                entries = .some(changed: changed, removed: removed)
            }
        } else {
            entries = .unknown
        }
        return News(
            entries: entries, concernsAgent: found.flags.agent, wantsCheck: found.flags.check,
            bundles: found.flags.bundles, isSuperseded: found.flags.isSuperseded,
            digest: withDigest && isCalm ? index.set(agentID: agentID, in: snapshot).digest : nil,
            position: StreamPosition(epoch: board.epoch, revision: found.revision))
    }

    /// Waits until there may be news, but not much longer than `limit`: the board looks once a second whose time is up.
    ///
    /// It waits in the caller's own task, without children of it: there are as many of these waits as agents.
    /// - Throws: `CancellationError`.
    package func wait(atMost limit: Duration) async throws {
        let seen = heard.withLock { $0 }
        if bell.value == seen { board.alarm(number, in: limit, bell) }
        for await count in bell.changes() where count != seen {
            heard.withLock { $0 = count }
            return
        }
        throw CancellationError()
    }
}
