// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
package import NIOCore
import RPC

extension EntryService {
    /// Creates entries, each on its own terms; the whole batch goes to the datastore at once.
    /// - Returns: a `BatchCreateEntryResponse`.
    package func batchCreate(
        _ request: Spire_Api_Server_Entry_V1_BatchCreateEntryRequest, _ call: Call
    ) async throws -> ByteBuffer {
        var refused: [Int: RPCStatus] = [:]
        var accepted: [RegistrationEntry] = []
        accepted.reserveCapacity(request.entries.count)
        for (place, proto) in request.entries.enumerated() {
            do {
                let entry = try mapping.model(proto)
                if let grant = call.grant { try await checkScopedCreation(entry, grant) }
                accepted.append(entry)
            } catch {
                let refusal = error as? APIFailure ?? APIFailure.invalid("failed to convert entry", error)
                refused[place] = failed(refusal, proto, call)
            }
        }
        var created = try await create(accepted)[...]
        var encoder = EntryEncoder(ids, mask: EntryMask(request.hasOutputMask ? request.outputMask : nil), field: 1)
        for (place, proto) in request.entries.enumerated() {
            if let status = refused[place] {
                encoder.append(result: status)
            } else if let result = created.popFirst() {
                append(result, proto, to: &encoder, call)
            }
        }
        return try encoder.finished()
    }

    private func create(_ entries: [RegistrationEntry]) async throws -> [Result<EntryCreation, SpireError>] {
        guard !entries.isEmpty else { return [] }
        do {
            return try await store.createEntries(entries)
        } catch {
            throw APIFailure.datastore("failed to create entry", error)
        }
    }

    private func append(
        _ result: Result<EntryCreation, SpireError>, _ proto: Spire_Api_Types_Entry, to encoder: inout EntryEncoder,
        _ call: Call
    ) {
        switch result {
        case .success(.created(let entry)):
            if encoder.append(result: nil, entry) { return call.auditItem(nil, proto.audit) }
            let failure = APIFailure(.internal, "failed to convert entry")
            encoder.append(result: failed(failure, proto, call))
        case .success(.similar(let entry)):
            let status = RPCStatus(.alreadyExists, "similar entry already exists")
            call.auditItem(status, proto.audit)
            if !encoder.append(result: status, entry) { encoder.append(result: status) }
        case .failure(let error):
            encoder.append(result: failed(APIFailure.datastore("failed to create entry", error), proto, call))
        }
    }

    private func failed(_ failure: APIFailure, _ proto: Spire_Api_Types_Entry, _ call: Call) -> RPCStatus {
        let status = call.report(failure)
        call.auditItem(status, proto.audit)
        return status
    }
}
