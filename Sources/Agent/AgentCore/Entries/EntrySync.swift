// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// The agent's half of the `SyncAuthorizedEntries` conversation, without the wire.
///
/// Either the first answer holds every entry, or it holds revisions: then the agent collects all revisions, asks for the
/// entries that differ from its own, page by page, and is done.
package struct EntrySync {
    /// What identifies a version of an entry.
    package struct Revision: Sendable, Hashable {
        package var id: String
        package var number: Int64
        /// 0 when the server does not say.
        package var createdAt: Int64
        package init(id: String, number: Int64, createdAt: Int64) {
            self.id = id
            self.number = number
            self.createdAt = createdAt
        }
    }

    /// One message of the server.
    package struct Page: Sendable {
        package var revisions: [Revision]
        package var entries: [AgentEntry]
        /// How many revisions and entries the message held before malformed ones were left out.
        package var counts: (revisions: Int, entries: Int)
        package var more: Bool
        package init(revisions: [Revision], entries: [AgentEntry], counts: (revisions: Int, entries: Int), more: Bool) {
            self.revisions = revisions
            self.entries = entries
            self.counts = counts
            self.more = more
        }
    }

    /// What the shell does next.
    package enum Action: Sendable, Equatable {
        /// Wait for the server's next message.
        case receive
        /// All revisions are here: answer with `compared(stale:)`.
        case compare([Revision])
        /// Ask for these entries, then receive.
        case request([String])
        case done(Outcome)
    }

    /// What changed.
    package enum Outcome: Sendable, Equatable {
        /// Every entry there is.
        case complete([AgentEntry])
        /// `present` are all IDs there are; `changed` are the entries that are new or differ.
        case delta(present: Set<String>, changed: [AgentEntry])
    }

    /// Most entries accepted; beyond that the server is broken or hostile.
    package static let maximumEntries = 2_000_000

    private enum Phase {
        case first
        case revisions
        case comparing
        case entries
        case ended
    }

    private var phase: Phase = .first
    private var pageSize = 0
    private var revisions: [Revision] = []
    private var wanted: ArraySlice<String> = []
    private var changed: [AgentEntry] = []

    package init() {}

    /// Takes the server's next message.
    /// - Throws: `agent.sync_protocol` when the server breaks the protocol.
    package mutating func received(_ page: Page) throws -> Action {
        switch phase {
        case .first:
            guard page.counts.revisions > 0 else {
                phase = .ended
                return .done(.complete(page.entries))
            }
            pageSize = page.counts.revisions
            phase = .revisions
            return try collect(page)
        case .revisions:
            return try collect(page)
        case .entries:
            guard page.counts.revisions == 0 else {
                throw SpireError(.syncProtocol, "unexpected entry revisions in response when receiving full entries")
            }
            guard changed.count + page.entries.count <= Self.maximumEntries else { throw tooMany }
            changed.append(contentsOf: page.entries)
            return page.more ? .receive : nextRequest()
        case .comparing, .ended:
            throw SpireError(.syncProtocol, "unexpected response after the exchange was complete")
        }
    }

    /// Answers `.compare`: IDs whose entry the agent lacks or holds in another version.
    package mutating func compared(stale: [String]) -> Action {
        phase = .entries
        wanted = stale.sorted()[...]
        return nextRequest()
    }

    private mutating func collect(_ page: Page) throws -> Action {
        guard page.counts.entries == 0 else {
            throw SpireError(.syncProtocol, "unexpected entry in response receiving entry revisions")
        }
        guard revisions.count + page.revisions.count <= Self.maximumEntries else { throw tooMany }
        revisions.append(contentsOf: page.revisions)
        if page.more { return .receive }
        phase = .comparing
        return .compare(revisions)
    }

    private mutating func nextRequest() -> Action {
        guard !wanted.isEmpty else {
            phase = .ended
            return .done(.delta(present: Set(revisions.map(\.id)), changed: changed))
        }
        let page = Array(wanted.prefix(pageSize))
        wanted = wanted.dropFirst(pageSize)
        return .request(page)
    }

    private var tooMany: SpireError {
        SpireError(.syncProtocol, "the server sent more than \(Self.maximumEntries) entries")
    }
}
