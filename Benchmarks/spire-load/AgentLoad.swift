// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Issuance
import NIOCore
import RPC
import Wire

/// One agent that attests with a join token and has batches signed over mutual TLS.
struct AgentLoad: Sendable {
    let options: LoadOptions
    let group: any EventLoopGroup

    init(_ options: LoadOptions, _ group: any EventLoopGroup) {
        self.options = options
        self.group = group
    }

    /// - Parameter takesLargeAnswers: Else messages are at most as long as they are by default.
    private func client(_ identity: TLSIdentity?, takesLargeAnswers: Bool = true) -> RPCClient {
        let parts = options.server.split(separator: ":")
        let host = parts.first.map(String.init) ?? "127.0.0.1"
        let port = parts.last.flatMap { Int($0) } ?? 8081
        return Channels.tls(
            host: host, port: port, group: group,
            configuration: takesLargeAnswers ? .largeAnswers : RPCClientConfiguration(), identity: { identity },
            verifyServer: { _ in })
    }

    private func attest() async throws -> TLSIdentity {
        let key = try LocalKey.generate(.ecP256)
        var request = Spire_Api_Server_Agent_V1_AttestAgentRequest()
        request.params.data.type = "join_token"
        request.params.data.payload = .init(options.token.utf8)
        request.params.params.csr = .init(try CSR.make(key: key, uri: nil))
        let first = request
        let anonymous = client(nil)
        let chain = try await anonymous.bidirectional(AgentMethods.attestAgent) { writer, responses in
            try await writer.send(first)
            guard let answer = try await responses.next() else { throw RPCStatus(.internal, "no answer") }
            return answer.result.svid.certChain.map { [UInt8]($0) }
        }
        await anonymous.close()
        return TLSIdentity(chain: chain, key: .local(pkcs8: key.pkcs8))
    }

    /// What one agent that starts asks for: all it is authorized for at once, by revisions and pages, and by the stream of
    /// changes; the latter two with messages of the default size.
    func authorized() async throws {
        let identity = try await attest()
        let whole = client(identity)
        let client = client(identity, takesLargeAnswers: false)
        var everything = Spire_Api_Server_Entry_V1_GetAuthorizedEntriesRequest()
        everything.outputMask = Self.mask
        let request = everything
        var first = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest()
        first.outputMask = Self.mask
        let opening = first
        var best = (
            get: Double.infinity, sync: Double.infinity, unchanged: Double.infinity, stream: Double.infinity,
            resumed: Double.infinity
        )
        var count = 0
        for _ in 0..<3 {
            let (entries, seconds) = try await Meter.time {
                try await whole.unary(EntryMethods.getAuthorizedEntries, request).entries.count
            }
            count = entries
            best.get = min(best.get, seconds)
            let (paged, syncSeconds) = try await Meter.time { try await sync(client, opening, fetching: true) }
            best.sync = min(best.sync, syncSeconds)
            best.unchanged = min(best.unchanged, try await Meter.time { try await sync(client, opening, fetching: false) }.1)
            let (first, streamSeconds) = try await Meter.time { try await stream(client, held: nil) }
            best.stream = min(best.stream, streamSeconds)
            let (second, resumedSeconds) = try await Meter.time { try await stream(client, held: first.last) }
            best.resumed = min(best.resumed, resumedSeconds)
            guard paged == entries, first.entries == entries, first.last.digest.count == UInt64(entries), second.entries == 0
            else {
                throw RPCStatus(
                    .internal,
                    "\(entries) entries at once, \(paged) by pages, \(first.entries) by the stream, \(second.entries) again")
            }
        }
        print(
            """
            {"entries": \(count), "get_seconds": \(best.get), "sync_seconds": \(best.sync), \
            "unchanged_seconds": \(best.unchanged), "stream_seconds": \(best.stream), \
            "stream_resumed_seconds": \(best.resumed)}
            """)
    }

    /// What a stream of changes begins with. - Returns: how many entries came, and the last message.
    private func stream(
        _ client: RPCClient, held: Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesResponse?
    ) async throws -> (entries: Int, last: Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesResponse) {
        var request = Swiftspire_Api_Server_Entry_V1_StreamAuthorizedEntriesRequest()
        request.outputMask = Self.mask
        if let held {
            request.position = held.position
            request.held = held.digest
        }
        return try await client.serverStreaming(EntryPushMethods.streamAuthorizedEntries, request) { responses in
            var entries = 0
            while let response = try await responses.next() {
                entries += response.entries.count
                if !response.more { return (entries, response) }
            }
            throw RPCStatus(.internal, "the stream ended")
        }
    }

    private func sync(
        _ client: RPCClient, _ opening: Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest, fetching: Bool
    ) async throws -> Int {
        try await client.bidirectional(EntryMethods.syncAuthorizedEntries) { requests, responses in
            try await requests.send(opening)
            var ids: [String] = []
            var entries = 0
            while let page = try await responses.next() {
                ids.append(contentsOf: page.entryRevisions.map(\.id))
                if !page.more { break }
            }
            for start in stride(from: 0, to: fetching ? ids.count : 0, by: 500) {
                var request = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest()
                request.ids = Array(ids[start..<min(start + 500, ids.count)])
                try await requests.send(request)
                while let page = try await responses.next() {
                    entries += page.entries.count
                    if !page.more { break }
                }
            }
            try? await requests.finish()
            return entries
        }
    }

    /// What the original's agents ask to be told.
    private static var mask: Spire_Api_Types_EntryMask {
        var mask = Spire_Api_Types_EntryMask()
        mask.spiffeID = true
        mask.selectors = true
        mask.federatesWith = true
        mask.admin = true
        mask.downstream = true
        mask.revisionNumber = true
        mask.storeSvid = true
        mask.hint = true
        mask.createdAt = true
        return mask
    }

    func signBatches() async throws {
        let client = client(try await attest())
        let entries = try await client.unary(
            EntryMethods.getAuthorizedEntries, Spire_Api_Server_Entry_V1_GetAuthorizedEntriesRequest()
        ).entries.map(\.id)
        guard entries.count >= options.batch else { throw RPCStatus(.internal, "only \(entries.count) entries") }
        let csr = try CSR.make(key: LocalKey.generate(.ecP256), uri: nil)
        var request = Spire_Api_Server_Svid_V1_BatchNewX509SVIDRequest()
        for id in entries.prefix(options.batch) {
            var item = Spire_Api_Server_Svid_V1_NewX509SVIDParams()
            item.entryID = id
            item.csr = .init(csr)
            request.params.append(item)
        }
        let wanted = request
        try await Meter.run(options, unit: "certificates", each: options.batch) { _ in
            {
                let answer = try await client.unary(SVIDMethods.batchNewX509SVID, wanted)
                if let bad = answer.results.first(where: { $0.status.code != 0 }) {
                    throw RPCStatus(.internal, bad.status.message)
                }
            }
        }
    }
}
