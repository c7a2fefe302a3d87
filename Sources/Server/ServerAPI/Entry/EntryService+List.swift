// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
package import NIOCore

extension EntryService {
    /// A page of entries, or all of them: they go from the datastore into the answer's bytes piece by piece, so that
    /// the answer itself is the only thing that grows.
    /// - Returns: a `ListEntriesResponse`.
    package func list(
        _ request: Spire_Api_Server_Entry_V1_ListEntriesRequest, _ call: Call
    ) async throws -> ByteBuffer {
        let fields = EntryFilterMapping.Fields(request.filter)
        call.audit(fields.audit)
        let filter = try EntryFilterMapping(ids: ids).model(fields)
        let empty = EntryEncoder(ids, mask: EntryMask(request.hasOutputMask ? request.outputMask : nil), field: 1)
        var encoder: EntryEncoder
        let nextToken: String
        do {
            let asked = PageRequest(size: request.pageSize, token: request.pageToken)
            if let scope = call.grant?.scope {
                let page = try await scopedList(filter, page: asked, scope)
                encoder = empty
                encoder.append(contentsOf: page.items)
                nextToken = page.nextToken
            } else {
                (encoder, nextToken) = try await store.foldEntries(filter, page: asked, into: empty) {
                    $0.append(contentsOf: $1)
                }
            }
        } catch {
            throw APIFailure.internal("failed to list entries", error)
        }
        report(encoder.unreadable, call)
        encoder.append(2, nextToken)
        return try encoder.finished()
    }
}
