// SPDX-License-Identifier: Apache-2.0

package import Datastore

/// Answers which entries an agent is authorized for.
package protocol AuthorizedEntries: Sendable {
    /// The entries the agent may obtain identities of, without node aliases. Order unspecified.
    func authorizedEntries(agentID: String) async throws -> [RegistrationEntry]
    /// Those of `ids` the agent is authorized for, by entry id.
    func authorizedEntries(agentID: String, ids: Set<String>) async throws -> [String: RegistrationEntry]
}
