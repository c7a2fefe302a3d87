// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import EntryIndex
package import NIOCore
import SwiftProtobuf

extension EntryService {
    /// Entries that are written at a time.
    private static let piece = 1000

    /// All entries the calling agent is authorized for, at once.
    /// - Returns: a `GetAuthorizedEntriesResponse`.
    package func getAuthorized(
        _ request: Spire_Api_Server_Entry_V1_GetAuthorizedEntriesRequest, _ call: Call
    ) async throws -> ByteBuffer {
        let set = try await setOfCaller(call)
        var encoder = EntryEncoder(
            ids, mask: EntryMask(request.hasOutputMask ? request.outputMask : nil), field: 1)
        for start in stride(from: 0, to: set.count, by: Self.piece) {
            encoder.append(contentsOf: set.records(start..<min(start + Self.piece, set.count)))
        }
        report(encoder.unreadable, call)
        return try encoder.finished()
    }
}
