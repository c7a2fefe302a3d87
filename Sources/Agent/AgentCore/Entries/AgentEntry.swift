// SPDX-License-Identifier: Apache-2.0

package import SPIFFE

/// A registration entry as the agent needs it: checked on arrival, so that later code need not doubt it.
package struct AgentEntry: Sendable, Hashable {
    package var id: String
    package var spiffeID: SPIFFEID
    /// At least one.
    package var selectors: SelectorSet
    /// Trust domains whose bundles the workload gets besides its own, ascending.
    package var federatesWith: [TrustDomain]
    package var isAdmin: Bool
    package var isDownstream: Bool
    package var revision: Int64
    /// Its identity goes to a secret store, not to the Workload API.
    package var storesSVID: Bool
    package var hint: String
    /// Seconds since 1970; 0 when the server does not say.
    package var createdAt: Int64
    /// Sign it only when a workload asks.
    package var skipsPrefetch: Bool

    package init(
        id: String, spiffeID: SPIFFEID, selectors: SelectorSet, federatesWith: [TrustDomain] = [],
        isAdmin: Bool = false, isDownstream: Bool = false, revision: Int64 = 0, storesSVID: Bool = false,
        hint: String = "", createdAt: Int64 = 0, skipsPrefetch: Bool = false
    ) {
        self.id = id
        self.spiffeID = spiffeID
        self.selectors = selectors
        self.federatesWith = federatesWith
        self.isAdmin = isAdmin
        self.isDownstream = isDownstream
        self.revision = revision
        self.storesSVID = storesSVID
        self.hint = hint
        self.createdAt = createdAt
        self.skipsPrefetch = skipsPrefetch
    }
}

extension Sequence<AgentEntry> {
    /// Among entries that share a hint only the oldest (then the smaller ID) stays, because a workload picks by hint.
    /// - Returns: the kept entries in the order given, and those left out.
    package func withUniqueHints() -> (kept: [AgentEntry], dropped: [AgentEntry]) {
        var best: [String: AgentEntry] = [:]
        for entry in self where !entry.hint.isEmpty {
            guard let other = best[entry.hint] else {
                best[entry.hint] = entry
                continue
            }
            if (entry.createdAt, entry.id) < (other.createdAt, other.id) { best[entry.hint] = entry }
        }
        var kept: [AgentEntry] = []
        var dropped: [AgentEntry] = []
        for entry in self {
            if entry.hint.isEmpty || best[entry.hint]?.id == entry.id {
                kept.append(entry)
            } else {
                dropped.append(entry)
            }
        }
        return (kept, dropped)
    }
}
