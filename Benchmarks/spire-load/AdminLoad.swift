// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Issuance
import NIOCore
import RPC
import SPIFFE
import SwiftProtobuf
import Wire

/// Callers of the server's local admin socket.
struct AdminLoad: Sendable {
    let options: LoadOptions
    let group: any EventLoopGroup

    init(_ options: LoadOptions, _ group: any EventLoopGroup) {
        self.options = options
        self.group = group
    }

    private func client() -> RPCClient {
        Channels.unix(
            path: options.socket, group: group, configuration: .largeAnswers)
    }

    func mintX509() async throws {
        let key = try LocalKey.generate(.ecP256)
        var request = Spire_Api_Server_Svid_V1_MintX509SVIDRequest()
        request.csr = .init(try CSR.make(key: key, uri: SPIFFEID("spiffe://example.org/minted")))
        let wanted = request
        try await Meter.run(options) { _ in
            let client = client()
            return { _ = try await client.unary(SVIDMethods.mintX509SVID, wanted) }
        }
    }

    func mintJWT() async throws {
        var request = Spire_Api_Server_Svid_V1_MintJWTSVIDRequest()
        request.id.trustDomain = "example.org"
        request.id.path = "/minted"
        request.audience = ["bench"]
        let wanted = request
        try await Meter.run(options) { _ in
            let client = client()
            return { _ = try await client.unary(SVIDMethods.mintJWTSVID, wanted) }
        }
    }

    /// Creates `count` entries, `batch` a call; of several callers each takes every so-manieth batch.
    func createEntries() async throws {
        let parent = try SPIFFEID(options.parent)
        let end = options.first + options.count
        let (_, seconds) = try await Meter.time {
            try await withThrowingTaskGroup(of: Void.self) { callers in
                for caller in 0..<options.callers {
                    callers.addTask {
                        let client = client()
                        let own = options.first + caller * options.batch
                        for made in stride(from: own, to: end, by: options.callers * options.batch) {
                            try await create(made..<min(end, made + options.batch), parent, client)
                        }
                    }
                }
                try await callers.waitForAll()
            }
        }
        print(#"{"entries": \#(options.count), "seconds": \#(seconds), "per_second": \#(Double(options.count) / seconds)}"#)
    }

    private func create(_ numbers: Range<Int>, _ parent: SPIFFEID, _ client: RPCClient) async throws {
        var request = Spire_Api_Server_Entry_V1_BatchCreateEntryRequest()
        request.entries = numbers.map { entry($0, parent) }
        let answer = try await client.unary(EntryMethods.batchCreateEntry, request)
        if let bad = answer.results.first(where: { $0.status.code != 0 }) {
            throw RPCStatus(.internal, bad.status.message)
        }
    }

    private func entry(_ number: Int, _ parent: SPIFFEID) -> Spire_Api_Types_Entry {
        let isSameID = options.shape == "same-id"
        var entry = Spire_Api_Types_Entry()
        entry.spiffeID.trustDomain = parent.trustDomain.name
        entry.spiffeID.path = isSameID ? "/bench/daemon" : "/bench/workload-\(number)"
        entry.parentID.trustDomain = parent.trustDomain.name
        entry.parentID.path = isSameID ? "/bench/node-\(number)" : parent.path
        var first = Spire_Api_Types_Selector()
        first.type = "unix"
        first.value = options.shape == "distinct" ? "uid:\(100_000 + number)" : "uid:0"
        var second = Spire_Api_Types_Selector()
        second.type = "unix"
        second.value = options.shape == "distinct" ? "path:/bench/program-\(number)" : "path:/bench/program"
        entry.selectors = [first, second]
        return entry
    }

    /// Lists everything in one answer: until the answer is here, and until objects have been made of it as well, which is the
    /// caller's work. With `-hold`, only once, so that memory shows one listing.
    func listEntries() async throws {
        let client = client()
        // A message without fields keeps all it gets as bytes.
        let unread = UnaryMethod<Spire_Api_Server_Entry_V1_ListEntriesRequest, Google_Protobuf_Empty>(
            EntryMethods.listEntries.path.service, EntryMethods.listEntries.path.name)
        var (received, best) = (Double.infinity, Double.infinity)
        var entries = 0
        for _ in 0..<(options.hold ? 1 : 5) {
            let (answer, arrival) = try await Meter.time { try await client.unary(unread, .init()) }
            let (list, decoding) = try await Meter.time {
                try Spire_Api_Server_Entry_V1_ListEntriesResponse(serializedBytes: answer.unknownFields.data)
            }
            received = min(received, arrival)
            best = min(best, arrival + decoding)
            entries = list.entries.count
        }
        print(#"{"entries": \#(entries), "received_seconds": \#(received), "best_seconds": \#(best)}"#)
    }

    /// Counts everything.
    func countEntries() async throws {
        try await Meter.run(options) { _ in
            let client = client()
            return { _ = try await client.unary(EntryMethods.countEntries, .init()) }
        }
    }
}
