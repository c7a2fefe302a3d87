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
    let store: any EntryReader & EntryWriter
    let authorized: any AuthorizedEntries

    package init(
        trustDomain: TrustDomain, store: any EntryReader & EntryWriter, authorized: any AuthorizedEntries
    ) {
        ids = IDRules(trustDomain)
        mapping = EntryMapping(ids)
        self.store = store
        self.authorized = authorized
    }

    package func add(to table: inout ServiceTable) {
        table.serve(EntryMethods.countEntries, count)
        table.serve(EntryMethods.listEntries, list)
        table.serve(EntryMethods.getEntry, get)
        table.serve(EntryMethods.batchCreateEntry, batchCreate)
        table.serve(EntryMethods.batchUpdateEntry, batchUpdate)
        table.serve(EntryMethods.batchDeleteEntry, batchDelete)
        table.serve(EntryMethods.getAuthorizedEntries, getAuthorized)
        table.serve(EntryMethods.syncAuthorizedEntries, syncAuthorized)
    }

    /// Converts stored entries; one that cannot be shown is logged and left out.
    func protos(_ entries: some Sequence<RegistrationEntry>, mask: EntryMask, _ call: Call) -> [Spire_Api_Types_Entry] {
        var protos: [Spire_Api_Types_Entry] = []
        protos.reserveCapacity(entries.underestimatedCount)
        for entry in entries {
            if let proto = mapping.proto(entry, mask: mask) {
                protos.append(proto)
            } else {
                call.logger.error("Failed to convert entry", metadata: [LogKey.entryID: "\(entry.id)"])
            }
        }
        return protos
    }

    /// The entries the calling agent is authorized for.
    func entriesOfCaller(_ call: Call) async throws -> [RegistrationEntry] {
        let agent = try call.requireID()
        do {
            return try await authorized.authorizedEntries(agentID: agent.description)
        } catch {
            throw APIFailure.internal("failed to fetch entries", error)
        }
    }
}
