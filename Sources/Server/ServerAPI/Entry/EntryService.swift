// SPDX-License-Identifier: Apache-2.0

import APIProtos
package import Datastore
package import EntryIndex
import Groundwork
import Logging
package import RPC
package import SPIFFE

/// `spire.api.server.entry.v1.Entry`: registration entries, for operators and for agents.
package struct EntryService: APIService {
    let ids: IDRules
    let mapping: EntryMapping
    let store: any EntryReader & EntryWriter & EntrySetStore
    let authorized: any AuthorizedEntries

    package init(
        trustDomain: TrustDomain, store: any EntryReader & EntryWriter & EntrySetStore,
        authorized: any AuthorizedEntries
    ) {
        ids = IDRules(trustDomain)
        mapping = EntryMapping(ids)
        self.store = store
        self.authorized = authorized
    }

    package func add(to table: inout ServiceTable) {
        table.serve(EntryMethods.countEntries, count)
        table.serveEncoded(EntryMethods.listEntries, list)
        table.serve(EntryMethods.getEntry, get)
        table.serveEncoded(EntryMethods.batchCreateEntry, batchCreate)
        table.serve(EntryMethods.batchUpdateEntry, batchUpdate)
        table.serve(EntryMethods.batchDeleteEntry, batchDelete)
        table.serveEncoded(EntryMethods.getAuthorizedEntries, getAuthorized)
        table.serve(EntryMethods.syncAuthorizedEntries, syncAuthorized)
    }

    /// Logs entries that cannot be shown and are left out.
    func report(_ unreadable: [String], _ call: Call) {
        for id in unreadable { call.logger.error("Failed to convert entry", metadata: [LogKey.entryID: "\(id)"]) }
    }

    /// The set of entries the calling agent is authorized for, as it is now.
    func setOfCaller(_ call: Call) async throws -> AuthorizedSet {
        let agent = try call.requireID()
        do {
            return try await authorized.authorizedSet(agentID: agent.description)
        } catch {
            throw APIFailure.internal("failed to fetch entries", error)
        }
    }
}
