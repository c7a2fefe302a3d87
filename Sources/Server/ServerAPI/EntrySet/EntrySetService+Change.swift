// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SwiftProtobuf

extension EntrySetService {
    typealias Change = Swiftspire_Server_Entryset_V1_Change
    typealias ChangeResult = Swiftspire_Server_Entryset_V1_ChangeEntriesResponse.Result

    /// Makes changes of one owner's entries in one transaction, each on its own terms.
    package func change(
        _ request: Swiftspire_Server_Entryset_V1_ChangeEntriesRequest, _ call: Call
    ) async throws -> Swiftspire_Server_Entryset_V1_ChangeEntriesResponse {
        try Self.checkOwner(request.owner)
        try Self.checkSize(request.changes.count)
        var results = [ChangeResult](repeating: ChangeResult(), count: request.changes.count)
        var accepted: [EntryChange] = []
        var places: [Int] = []
        for (place, change) in request.changes.enumerated() {
            do {
                accepted.append(try model(change, owner: request.owner))
                places.append(place)
            } catch {
                results[place] = failed(APIFailure.invalid("failed to convert entry", error), change, call)
            }
        }
        let outcomes: [Result<EntryChangeOutcome, SpireError>]
        do {
            outcomes = try await store.changeEntries(
                accepted, turn: EntrySetTurn(owner: request.owner, generation: request.generation))
        } catch {
            throw APIFailure.datastore("failed to change entries", error)
        }
        for (place, outcome) in zip(places, outcomes) {
            results[place] = result(outcome, request.changes[place], call)
        }
        return .with { $0.results = results }
    }

    /// - Throws: `Malformed`.
    private func model(_ change: Change, owner: String) throws -> EntryChange {
        switch change.kind {
        case .create(let proto): return .create(try owned(mapping.model(proto), owner))
        case .update(let update):
            let fields = EntryMask(update.hasInputMask ? update.inputMask : nil).fields
            let entry = try owned(mapping.model(update.entry, fields: fields), owner)
            return .update(entry, fields: fields, expectedRevision: update.expectedRevision)
        case .delete(let delete):
            try checkOwned(delete.id, owner)
            return .delete(id: delete.id, expectedRevision: delete.expectedRevision)
        case .replace(let replace):
            let other = EntryOwner.name(ofEntry: replace.replacedID)
            guard other == nil || other == owner else {
                throw Malformed("entry \(replace.replacedID) belongs to owner \"\(other ?? "")\"")
            }
            return .replace(
                id: replace.replacedID, expectedRevision: replace.expectedRevision,
                with: try owned(mapping.model(replace.entry), owner))
        case nil: throw Malformed("the change says nothing")
        }
    }

    private func owned(_ entry: RegistrationEntry, _ owner: String) throws -> RegistrationEntry {
        try checkOwned(entry.id, owner)
        return entry
    }

    private func checkOwned(_ id: String, _ owner: String) throws {
        guard EntryOwner.name(ofEntry: id) == owner else {
            throw Malformed("entry ID \"\(id)\" does not begin with \"\(EntryOwner.prefix(owner))\"")
        }
    }

    private func result(
        _ outcome: Result<EntryChangeOutcome, SpireError>, _ change: Change, _ call: Call
    ) -> ChangeResult {
        switch outcome {
        case .success(.done(let entry)):
            call.auditItem(nil, audit(change))
            return ended(.ok, entry)
        case .success(.similar(let entry)):
            return refused(RPCStatus(.alreadyExists, "similar entry already exists"), entry, change, call)
        case .success(.stale(let entry)):
            let text = "the entry has been changed by somebody else; it is at revision \(entry.revisionNumber)"
            return refused(RPCStatus(.aborted, text), entry, change, call)
        case .success(.gone):
            return refused(RPCStatus(.notFound, "entry not found"), nil, change, call)
        case .failure(let error):
            return failed(APIFailure.datastore("failed to change entry", error), change, call)
        }
    }

    private func ended(_ status: Spire_Api_Types_Status, _ entry: RegistrationEntry?) -> ChangeResult {
        .with {
            $0.status = status
            if let proto = entry.flatMap({ mapping.proto($0, mask: .all) }) { $0.entry = proto }
        }
    }

    private func refused(
        _ status: RPCStatus, _ entry: RegistrationEntry?, _ change: Change, _ call: Call
    ) -> ChangeResult {
        call.auditItem(status, audit(change))
        return ended(Spire_Api_Types_Status(status), entry)
    }

    private func failed(_ failure: APIFailure, _ change: Change, _ call: Call) -> ChangeResult {
        refused(call.report(failure), nil, change, call)
    }

    private func audit(_ change: Change) -> Logger.Metadata {
        switch change.kind {
        case .create(let entry): return entry.audit.merging(["change": "create"]) { $1 }
        case .update(let update): return update.entry.audit.merging(["change": "update"]) { $1 }
        case .delete(let delete): return [LogKey.entryID: "\(delete.id)", "change": "delete"]
        case .replace(let replace):
            return replace.entry.audit.merging(["change": "replace", "replaced_entry_id": "\(replace.replacedID)"]) {
                $1
            }
        case nil: return [:]
        }
    }
}
