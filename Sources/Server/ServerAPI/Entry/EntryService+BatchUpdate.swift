// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SwiftProtobuf

extension EntryService {
    package typealias UpdateResult = Spire_Api_Server_Entry_V1_BatchUpdateEntryResponse.Result

    package func batchUpdate(
        _ request: Spire_Api_Server_Entry_V1_BatchUpdateEntryRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Entry_V1_BatchUpdateEntryResponse {
        let input = EntryMask(request.hasInputMask ? request.inputMask : nil).fields
        let output = EntryMask(request.hasOutputMask ? request.outputMask : nil)
        var response = Spire_Api_Server_Entry_V1_BatchUpdateEntryResponse()
        response.results.reserveCapacity(request.entries.count)
        for proto in request.entries {
            response.results.append(await update(proto, input, output, call))
        }
        return response
    }

    private func update(
        _ proto: Spire_Api_Types_Entry, _ fields: EntryFields, _ mask: EntryMask, _ call: Call
    ) async -> UpdateResult {
        do {
            let entry: RegistrationEntry
            do {
                entry = try mapping.model(proto, fields: fields)
            } catch {
                throw APIFailure.invalid("failed to convert entry", error)
            }
            let updated: RegistrationEntry
            do {
                if let grant = call.grant {
                    updated = try await scopedUpdate(entry, fields, grant)
                } else {
                    updated = try await store.updateEntry(entry, fields: fields)
                }
            } catch let refusal as APIFailure {
                throw refusal
            } catch {
                throw APIFailure.datastore("failed to update entry", error)
            }
            guard let stored = mapping.proto(updated, mask: mask) else {
                throw APIFailure(.internal, "failed to convert entry")
            }
            call.auditItem(nil, proto.audit)
            return .with {
                $0.status = .ok
                $0.entry = stored
            }
        } catch {
            let status = call.report(error, fields: [LogKey.entryID: "\(proto.id)"])
            call.auditItem(status, proto.audit)
            return .with { $0.status = Spire_Api_Types_Status(status) }
        }
    }
}
