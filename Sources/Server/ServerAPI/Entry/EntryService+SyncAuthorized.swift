// SPDX-License-Identifier: Apache-2.0

package import APIProtos
import Datastore
import NIOCore
package import RPC
import SwiftProtobuf

extension EntryService {
    package typealias SyncRequest = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest
    package typealias SyncResponse = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesResponse

    /// Entries or revisions in one message.
    static let syncPage = 500

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
        let entries = try await entriesOfCaller(call)
        guard entries.count > Self.syncPage else {
            return try await responses.sendEncoded(page(entries[...], more: false, mask, call))
        }

        for start in stride(from: 0, to: entries.count, by: Self.syncPage) {
            let end = min(start + Self.syncPage, entries.count)
            try await responses.send(
                .with {
                    $0.entryRevisions = entries[start..<end].map(Self.revision)
                    $0.more = end < entries.count
                })
        }
        var byID: [String: RegistrationEntry]?
        while let request = try await requests.next() {
            let known = byID ?? Dictionary(entries.map { ($0.id, $0) }) { $1 }
            byID = known
            let asked = request.ids.sorted().compactMap { known[$0] }
            try await send(asked, mask, responses, call)
        }
    }

    private func send(
        _ entries: [RegistrationEntry], _ mask: EntryMask, _ responses: ResponseWriter<SyncResponse>, _ call: Call
    ) async throws {
        var start = 0
        repeat {
            let end = min(start + Self.syncPage, entries.count)
            let more = end < entries.count
            try await responses.sendEncoded(page(entries[start..<end], more: more, mask, call))
            start = end
        } while start < entries.count
    }

    private func page(
        _ entries: ArraySlice<RegistrationEntry>, more: Bool, _ mask: EntryMask, _ call: Call
    ) throws -> ByteBuffer {
        var encoder = EntryEncoder(ids, mask: mask, field: 2)
        encoder.append(contentsOf: entries)
        encoder.append(3, more)
        report(encoder.unreadable, call)
        return try encoder.finished()
    }

    private static func revision(_ entry: RegistrationEntry) -> Spire_Api_Server_Entry_V1_EntryRevision {
        .with {
            $0.id = entry.id
            $0.revisionNumber = entry.revisionNumber
            $0.createdAt = entry.createdAt
        }
    }
}
