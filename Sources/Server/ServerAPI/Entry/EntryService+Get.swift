// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC

extension EntryService {
    package func get(
        _ request: Spire_Api_Server_Entry_V1_GetEntryRequest, _ call: Call
    ) async throws -> Spire_Api_Types_Entry {
        guard !request.id.isEmpty else { throw APIFailure.invalid("missing ID") }
        call.audit([LogKey.entryID: "\(request.id)"])
        let stored: RegistrationEntry?
        do {
            stored = try await store.entry(id: request.id)
        } catch {
            throw APIFailure.internal("failed to fetch entry", error)
        }
        guard let stored, call.grant?.scope.shows(stored, ids.trustDomain) ?? true else {
            throw APIFailure.notFound("entry not found")
        }
        guard let proto = mapping.proto(stored, mask: EntryMask(request.hasOutputMask ? request.outputMask : nil)) else {
            throw APIFailure(.internal, "failed to convert entry")
        }
        return proto
    }
}
