// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import SwiftProtobuf

extension EntryService {
    package func count(
        _ request: Spire_Api_Server_Entry_V1_CountEntriesRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Entry_V1_CountEntriesResponse {
        let fields = EntryFilterMapping.Fields(request.filter)
        call.audit(fields.audit)
        let filter = try EntryFilterMapping(ids: ids).model(fields)
        do {
            let count: Int
            if let scope = call.grant?.scope {
                count = try await scopedCount(filter, scope)
            } else {
                count = try await store.countEntries(filter)
            }
            return .with { $0.count = Int32(clamping: count) }
        } catch {
            throw APIFailure.internal("failed to count entries", error)
        }
    }
}
