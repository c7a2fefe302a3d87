// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore

extension EntryService {
    package func list(
        _ request: Spire_Api_Server_Entry_V1_ListEntriesRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Entry_V1_ListEntriesResponse {
        let fields = EntryFilterMapping.Fields(request.filter)
        call.audit(fields.audit)
        let filter = try EntryFilterMapping(ids: ids).model(fields)
        let page: Page<RegistrationEntry>
        do {
            page = try await store.listEntries(
                filter, page: PageRequest(size: request.pageSize, token: request.pageToken))
        } catch {
            throw APIFailure.internal("failed to list entries", error)
        }
        var response = Spire_Api_Server_Entry_V1_ListEntriesResponse()
        response.entries = protos(page.items, mask: EntryMask(request.hasOutputMask ? request.outputMask : nil), call)
        response.nextPageToken = page.nextToken
        return response
    }
}
