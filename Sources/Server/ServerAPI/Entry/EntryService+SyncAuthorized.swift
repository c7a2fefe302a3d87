// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import EntryIndex
import NIOCore
package import RPC
import SwiftProtobuf

extension EntryService {
    package typealias SyncRequest = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest
    package typealias SyncResponse = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesResponse

    /// Entries or revisions in one message.
    static let syncPage = 500
    /// Bytes of entries in one message, so that large entries do not exceed what callers accept (4 MiB by default).
    static let syncBytes = 2 << 20

    /// Brings an agent up to date: small sets are sent whole; of larger ones first the revisions, then, as often as the
    /// agent asks, the entries it names. The set is the one at the start of the stream.
    package func syncAuthorized(
        _ requests: RequestStream<SyncRequest>, _ responses: ResponseWriter<SyncResponse>, _ call: Call
    ) async throws {
        guard let first = try await requests.next() else { return }
        guard first.ids.isEmpty else {
            throw APIFailure.invalid("specifying IDs on initial request is not supported")
        }
        if first.hasOutputMask, !first.outputMask.revisionNumber {
            throw APIFailure.invalid("revision number cannot be masked")
        }
        let mask = EntryMask(first.hasOutputMask ? first.outputMask : nil)
        let set = try await setOfCaller(call)
        if set.count <= Self.syncPage {
            let entries = set.entries(0..<set.count)
            if entries.reduce(0, { $0 + $1.wireSize }) <= Self.syncBytes {
                return try await responses.sendEncoded(page(entries, more: false, mask, call))
            }
        }

        for start in stride(from: 0, to: set.count, by: Self.syncPage) {
            let end = min(start + Self.syncPage, set.count)
            try await responses.send(
                .with {
                    $0.entryRevisions = (start..<end).map { Self.revision(set.version($0)) }
                    $0.more = end < set.count
                })
        }
        var places: [String: Int]?
        while let request = try await requests.next() {
            let known = places ?? set.places()
            places = known
            try await send(request.ids.sorted().compactMap { known[$0] }, of: set, mask, responses, call)
        }
    }

    private func send(
        _ places: [Int], of set: AuthorizedSet, _ mask: EntryMask, _ responses: ResponseWriter<SyncResponse>,
        _ call: Call
    ) async throws {
        var rest = places[...]
        repeat {
            var page: [RegistrationEntry] = []
            var size = 0
            while let place = rest.first, page.count < Self.syncPage {
                let entry = set.entries(place..<place + 1)
                size += entry.reduce(0) { $0 + $1.wireSize }
                if size > Self.syncBytes, !page.isEmpty { break }
                page += entry
                rest = rest.dropFirst()
            }
            try await responses.sendEncoded(self.page(page, more: !rest.isEmpty, mask, call))
        } while !rest.isEmpty
    }

    private func page(
        _ entries: [RegistrationEntry], more: Bool, _ mask: EntryMask, _ call: Call
    ) throws -> ByteBuffer {
        var encoder = EntryEncoder(ids, mask: mask, field: 2)
        encoder.append(contentsOf: entries)
        encoder.append(3, more)
        report(encoder.unreadable, call)
        return try encoder.finished()
    }

    private static func revision(
        _ version: (id: String, revision: Int64, createdAt: Int64)
    ) -> Spire_Api_Server_Entry_V1_EntryRevision {
        .with {
            $0.id = version.id
            $0.revisionNumber = version.revision
            $0.createdAt = version.createdAt
        }
    }
}
