// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Issuance
import NIOCore
import RPC
import SPIFFE
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

    /// Creates `count` entries, `batch` a call.
    func createEntries() async throws {
        let client = client()
        let parent = try SPIFFEID(options.parent)
        let (_, seconds) = try await Meter.time {
            var made = 0
            while made < options.count {
                var request = Spire_Api_Server_Entry_V1_BatchCreateEntryRequest()
                for number in made..<min(options.count, made + options.batch) {
                    var entry = Spire_Api_Types_Entry()
                    entry.spiffeID.trustDomain = parent.trustDomain.name
                    entry.spiffeID.path = "/bench/workload-\(number)"
                    entry.parentID.trustDomain = parent.trustDomain.name
                    entry.parentID.path = parent.path
                    var first = Spire_Api_Types_Selector()
                    first.type = "unix"
                    first.value = "uid:\(100_000 + number)"
                    var second = Spire_Api_Types_Selector()
                    second.type = "unix"
                    second.value = "path:/bench/program-\(number)"
                    entry.selectors = [first, second]
                    request.entries.append(entry)
                }
                let answer = try await client.unary(EntryMethods.batchCreateEntry, request)
                if let bad = answer.results.first(where: { $0.status.code != 0 }) {
                    throw RPCStatus(.internal, bad.status.message)
                }
                made += request.entries.count
            }
        }
        print(#"{"entries": \#(options.count), "seconds": \#(seconds), "per_second": \#(Double(options.count) / seconds)}"#)
    }

    /// Lists everything in one answer.
    func listEntries() async throws {
        let client = client()
        var best = Double.infinity
        var entries = 0
        for _ in 0..<5 {
            let (answer, seconds) = try await Meter.time {
                try await client.unary(EntryMethods.listEntries, Spire_Api_Server_Entry_V1_ListEntriesRequest())
            }
            best = min(best, seconds)
            entries = answer.entries.count
        }
        print(#"{"entries": \#(entries), "best_seconds": \#(best)}"#)
    }
}
