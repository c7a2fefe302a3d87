// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
package import NIOCore
import SwiftProtobuf

extension EntryService {
    /// All entries the calling agent is authorized for, at once.
    /// - Returns: a `GetAuthorizedEntriesResponse`.
    package func getAuthorized(
        _ request: Spire_Api_Server_Entry_V1_GetAuthorizedEntriesRequest, _ call: Call
    ) async throws -> ByteBuffer {
        let entries = try await entriesOfCaller(call)
        var encoder = EntryEncoder(
            ids, mask: EntryMask(request.hasOutputMask ? request.outputMask : nil), field: 1)
        encoder.append(contentsOf: entries)
        report(encoder.unreadable, call)
        return try encoder.finished()
    }
}
