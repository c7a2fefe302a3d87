// SPDX-License-Identifier: Apache-2.0

package import APIProtos
package import Datastore
import Groundwork
import Logging
package import RPC
package import SPIFFE
import SwiftProtobuf

/// `swiftspire.server.entryset.v1.EntrySet`: what `entry apply` needs beyond SPIRE's entry service: entries of an
/// owner, changes that compare revisions, and turns that keep two applies of one owner apart.
package struct EntrySetService: APIService {
    /// Most entries or changes in one request.
    package static let largestBatch = 1000

    let mapping: EntryMapping
    let store: any EntrySetStore

    package init(trustDomain: TrustDomain, store: any EntrySetStore) {
        mapping = EntryMapping(IDRules(trustDomain))
        self.store = store
    }

    package func add(to table: inout ServiceTable) {
        table.serve(EntrySetMethods.beginApply, begin)
        table.serve(EntrySetMethods.listOwned, list)
        table.serve(EntrySetMethods.checkEntries, check)
        table.serve(EntrySetMethods.changeEntries, change)
    }

    package func begin(
        _ request: Swiftspire_Server_Entryset_V1_BeginApplyRequest, _ call: Call
    ) async throws -> Swiftspire_Server_Entryset_V1_BeginApplyResponse {
        try Self.checkOwner(request.owner)
        call.audit(["owner": "\(request.owner)"])
        do {
            let generation = try await store.beginEntrySet(owner: request.owner)
            return .with { $0.generation = generation }
        } catch {
            throw APIFailure.datastore("failed to begin the apply", error)
        }
    }

    package func list(
        _ request: Swiftspire_Server_Entryset_V1_ListOwnedRequest, _ call: Call
    ) async throws -> Swiftspire_Server_Entryset_V1_ListOwnedResponse {
        try Self.checkOwner(request.owner)
        call.audit(["owner": "\(request.owner)"])
        let size = min(request.pageSize > 0 ? Int(request.pageSize) : Self.largestBatch, Self.largestBatch)
        let page: Page<RegistrationEntry>
        do {
            page = try await store.listEntries(
                idPrefix: EntryOwner.prefix(request.owner), page: PageRequest(token: request.pageToken, size: size))
        } catch {
            throw APIFailure.datastore("failed to list entries", error)
        }
        var response = Swiftspire_Server_Entryset_V1_ListOwnedResponse()
        for entry in page.items {
            // One that cannot be shown could neither be compared nor be left alone knowingly.
            guard let proto = mapping.proto(entry, mask: .all) else {
                throw APIFailure(.internal, "failed to convert entry \(entry.id)")
            }
            response.entries.append(proto)
        }
        response.nextPageToken = page.nextToken
        return response
    }

    package func check(
        _ request: Swiftspire_Server_Entryset_V1_CheckEntriesRequest, _ call: Call
    ) async throws -> Swiftspire_Server_Entryset_V1_CheckEntriesResponse {
        try Self.checkSize(request.entries.count)
        typealias Item = Swiftspire_Server_Entryset_V1_CheckEntriesResponse.Result
        var results = [Item](repeating: Item(), count: request.entries.count)
        var sound: [RegistrationEntry] = []
        var places: [Int] = []
        for (place, proto) in request.entries.enumerated() {
            do {
                sound.append(try mapping.model(proto))
                places.append(place)
                results[place].status = .ok
            } catch {
                results[place].status = Spire_Api_Types_Status(
                    APIFailure.invalid("failed to convert entry", error).status)
            }
        }
        let similar: [RegistrationEntry?]
        do {
            similar = try await store.similarEntries(sound)
        } catch {
            throw APIFailure.datastore("failed to look entries up", error)
        }
        for (place, entry) in zip(places, similar) {
            if let proto = entry.flatMap({ mapping.proto($0, mask: .all) }) { results[place].similar = proto }
        }
        return .with { $0.results = results }
    }

    static func checkOwner(_ owner: String) throws {
        guard EntryOwner.isValid(owner) else {
            throw APIFailure.invalid(
                "owner must be 1 to \(EntryOwner.longestName) lower-case letters, digits and hyphens")
        }
    }

    static func checkSize(_ count: Int) throws {
        guard count <= largestBatch else {
            throw APIFailure.invalid("at most \(largestBatch) entries in one request, not \(count)")
        }
    }
}
