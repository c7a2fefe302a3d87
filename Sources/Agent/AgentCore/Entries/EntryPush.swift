// SPDX-License-Identifier: Apache-2.0

import Groundwork
package import SPIFFE

/// The agent's half of a stream of changes, without the wire: puts the parts of each change together.
package struct EntryPush {
    /// A place in one server's history of changes.
    package struct Position: Sendable, Hashable {
        package var epoch: UInt64
        package var revision: UInt64
        package init(epoch: UInt64, revision: UInt64) {
            self.epoch = epoch
            self.revision = revision
        }
    }

    /// What the agent says when it opens a stream.
    package struct Start: Sendable, Equatable {
        /// Where an earlier stream had come to, if what is held is still from it.
        package var position: Position?
        /// What is held; `nil` asks for everything.
        package var held: SetDigest?
        /// Versions of the bundles that are held.
        package var bundles: [TrustDomain: UInt64] = [:]
        package init() {}
    }

    package struct Bundle: Sendable, Equatable {
        package var bundle: TrustBundle
        /// The server's name for this content.
        package var version: UInt64
        package init(bundle: TrustBundle, version: UInt64) {
            self.bundle = bundle
            self.version = version
        }
    }

    /// One change, or one message's part of it.
    package struct Change: Sendable, Equatable {
        /// Entries are all there are, instead of what changed.
        package var isComplete = false
        package var entries: [AgentEntry] = []
        /// Entries that break a rule: they are not used, but the server counts them as held.
        package var rejected: [EntrySync.Revision] = []
        /// IDs of entries the agent may not have; it may never have had them.
        package var removed: [String] = []
        package var bundles: [Bundle] = []
        package var removedDomains: [TrustDomain] = []
        /// What is held after the change.
        package var digest: SetDigest?
        package var position: Position?
        package init() {}
    }

    private var change: Change?

    package init() {}

    /// Takes the server's next message.
    ///
    /// - Parameter more: The change goes on in the next message.
    /// - Returns: the change once it is whole.
    /// - Throws: `agent.sync_protocol` when the server breaks the protocol.
    package mutating func received(_ part: Change, more: Bool) throws -> Change? {
        guard var whole = change else {
            if more { change = part }
            return more ? nil : part
        }
        change = nil
        guard whole.isComplete == part.isComplete else {
            throw SpireError(.syncProtocol, "a change began anew before it had ended")
        }
        whole.entries += part.entries
        whole.rejected += part.rejected
        whole.removed += part.removed
        whole.bundles += part.bundles
        whole.removedDomains += part.removedDomains
        whole.digest = part.digest
        whole.position = part.position
        guard whole.entries.count + whole.rejected.count + whole.removed.count <= EntrySync.maximumEntries else {
            throw SpireError(.syncProtocol, "the server sent more than \(EntrySync.maximumEntries) entries")
        }
        if more { change = whole }
        return more ? nil : whole
    }
}
