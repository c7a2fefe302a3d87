// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import SwiftProtobuf

extension EntryService {
    /// All entries the calling agent is authorized for, at once.
    package func getAuthorized(
        _ request: Spire_Api_Server_Entry_V1_GetAuthorizedEntriesRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Entry_V1_GetAuthorizedEntriesResponse {
        let entries = try await entriesOfCaller(call)
        let mask = EntryMask(request.hasOutputMask ? request.outputMask : nil)
        return .with { $0.entries = protos(entries, mask: mask, call) }
    }
}
