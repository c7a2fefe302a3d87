// SPDX-License-Identifier: Apache-2.0

import Datastore

/// The rules of authorization, written down as plainly as can be.
struct SlowAuthorization {
    var trustDomain = "example.org"
    var entries: [String: RegistrationEntry] = [:]
    var agents: [String: (expiresAt: Int64, selectors: [Selector])] = [:]

    func authorized(_ agentID: String, now: Int64) -> Set<String> {
        func isOurs(_ id: String) -> Bool { id.hasPrefix("spiffe://\(trustDomain)/") }
        guard isOurs(agentID) else { return [] }
        let ours = entries.values.filter { isOurs($0.spiffeID) && isOurs($0.parentID) }
        let server = "spiffe://\(trustDomain)/spire/server"
        var reached: Set<String> = [agentID]
        if let agent = agents[agentID], agent.expiresAt >= now {
            for alias in ours where alias.parentID == server {
                if Set(alias.selectors).isSubset(of: agent.selectors) { reached.insert(alias.spiffeID) }
            }
        }
        var found: Set<String> = []
        while true {
            let before = (reached.count, found.count)
            for entry in ours where entry.parentID != server && reached.contains(entry.parentID) {
                found.insert(entry.id)
                reached.insert(entry.spiffeID)
            }
            if before == (reached.count, found.count) { return found }
        }
    }
}
