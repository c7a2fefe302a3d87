// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SwiftProtobuf

extension EntryService {
    package typealias CreateResult = Spire_Api_Server_Entry_V1_BatchCreateEntryResponse.Result

    /// Creates entries, each on its own terms; the whole batch goes to the datastore at once.
    package func batchCreate(
        _ request: Spire_Api_Server_Entry_V1_BatchCreateEntryRequest, _ call: Call
    ) async throws -> Spire_Api_Server_Entry_V1_BatchCreateEntryResponse {
        let mask = EntryMask(request.hasOutputMask ? request.outputMask : nil)
        var results = [CreateResult](repeating: CreateResult(), count: request.entries.count)
        var accepted: [RegistrationEntry] = []
        var places: [Int] = []
        accepted.reserveCapacity(request.entries.count)
        places.reserveCapacity(request.entries.count)
        for (place, proto) in request.entries.enumerated() {
            do {
                let entry = try mapping.model(proto)
                if let grant = call.grant { try await checkScopedCreation(entry, grant) }
                accepted.append(entry)
                places.append(place)
            } catch {
                let refusal = error as? APIFailure ?? APIFailure.invalid("failed to convert entry", error)
                results[place] = failed(refusal, proto, call)
            }
        }
        let created = try await create(accepted)
        for (place, outcome) in zip(places, created) {
            results[place] = result(outcome, request.entries[place], mask, call)
        }
        return .with { $0.results = results }
    }

    private func create(_ entries: [RegistrationEntry]) async throws -> [Result<EntryCreation, SpireError>] {
        guard !entries.isEmpty else { return [] }
        do {
            return try await store.createEntries(entries)
        } catch {
            throw APIFailure.datastore("failed to create entry", error)
        }
    }

    private func result(
        _ outcome: Result<EntryCreation, SpireError>, _ proto: Spire_Api_Types_Entry, _ mask: EntryMask, _ call: Call
    ) -> CreateResult {
        switch outcome {
        case .success(.created(let entry)):
            guard let stored = mapping.proto(entry, mask: mask) else {
                return failed(APIFailure(.internal, "failed to convert entry"), proto, call)
            }
            call.auditItem(nil, proto.audit)
            return .with {
                $0.status = .ok
                $0.entry = stored
            }
        case .success(.similar(let entry)):
            let status = RPCStatus(.alreadyExists, "similar entry already exists")
            call.auditItem(status, proto.audit)
            return .with {
                $0.status = Spire_Api_Types_Status(status)
                if let stored = mapping.proto(entry, mask: mask) { $0.entry = stored }
            }
        case .failure(let error):
            return failed(APIFailure.datastore("failed to create entry", error), proto, call)
        }
    }

    private func failed(_ failure: APIFailure, _ proto: Spire_Api_Types_Entry, _ call: Call) -> CreateResult {
        let status = call.report(failure)
        call.auditItem(status, proto.audit)
        return .with { $0.status = Spire_Api_Types_Status(status) }
    }
}
