// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SwiftProtobuf

extension EntryService {
    package typealias DeleteResult = Spire_Api_Server_Entry_V1_BatchDeleteEntryResponse.Result

    package func batchDelete(
        _ request: Spire_Api_Server_Entry_V1_BatchDeleteEntryRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Entry_V1_BatchDeleteEntryResponse {
        var response = Spire_Api_Server_Entry_V1_BatchDeleteEntryResponse()
        response.results.reserveCapacity(request.ids.count)
        for id in request.ids { response.results.append(await delete(id, call)) }
        return response
    }

    private func delete(_ id: String, _ call: Call) async -> DeleteResult {
        do {
            guard !id.isEmpty else { throw APIFailure.invalid("missing entry ID") }
            do {
                if let scope = call.grant?.scope {
                    try await scopedDelete(id, scope)
                } else {
                    try await store.deleteEntry(id: id)
                }
            } catch let refusal as APIFailure {
                throw refusal
            } catch let error where APIFailure.code(of: error) == .notFound {
                throw APIFailure.notFound("entry not found")
            } catch {
                throw APIFailure.internal("failed to delete entry", error)
            }
            call.auditItem(nil, [LogKey.entryID: "\(id)"])
            return .with {
                $0.id = id
                $0.status = .ok
            }
        } catch {
            let status = call.report(error, fields: [LogKey.entryID: "\(id)"])
            call.auditItem(status, [LogKey.entryID: "\(id)"])
            return .with {
                $0.id = id
                $0.status = Spire_Api_Types_Status(status)
            }
        }
    }
}
