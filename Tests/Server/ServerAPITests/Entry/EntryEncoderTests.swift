// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import NIOCore
import RPC
import SPIFFE
import SwiftProtobuf
import TestKit
import Testing

@testable import ServerAPI

@Suite struct EntryEncoderTests {
    typealias Response = Spire_Api_Server_Entry_V1_ListEntriesResponse

    let ids: IDRules

    init() throws { ids = IDRules(try TrustDomain("example.org")) }

    func handwritten(_ entries: [RegistrationEntry], _ mask: EntryMask, token: String = "") throws -> ByteBuffer {
        var encoder = EntryEncoder(ids, mask: mask, field: 1)
        encoder.append(contentsOf: entries)
        encoder.append(2, token)
        return try encoder.finished()
    }

    func generated(_ entries: [RegistrationEntry], _ mask: EntryMask, token: String = "") throws -> [UInt8] {
        let mapping = EntryMapping(ids)
        return try Response.with {
            $0.entries = entries.compactMap { mapping.proto($0, mask: mask) }
            $0.nextPageToken = token
        }.serializedBytes()
    }

    /// Entries with every field in the forms that are encoded differently.
    func assorted(_ random: SeededRandom) -> [RegistrationEntry] {
        func pick<Value>(_ values: [Value]) -> Value { values[Int(random.next() % UInt64(values.count))] }
        let texts = ["", "x", "émigré 🦉", String(repeating: "long", count: 40), String(repeating: "z", count: 20_000)]
        return (0..<200).map { number in
            var entry = RegistrationEntry()
            entry.id = pick(["", "id-\(number)", "7f3a2c1e-0000-4000-8000-000000000000"])
            entry.spiffeID = pick(["spiffe://example.org/web", "spiffe://example.org/" + String(repeating: "a", count: 300)])
            entry.parentID = pick(["spiffe://example.org/node", "spiffe://other.test/node", "spiffe://other.test"])
            entry.selectors = (0..<pick([1, 2, 40])).map { Selector(type: pick(["unix", "k8s"]), value: pick(texts) + "\($0)") }
            entry.x509SVIDTTL = pick([0, 1, 3600, .max, -1])
            entry.jwtSVIDTTL = pick([0, 300, .min])
            entry.federatesWith = pick([[], ["spiffe://other.test"], ["bare.test", "spiffe://x.test"]])
            entry.dnsNames = pick([[], ["a.test"], ["", "b.test"]])
            entry.admin = pick([true, false])
            entry.downstream = pick([true, false])
            entry.storeSVID = pick([true, false])
            entry.hint = pick(texts)
            entry.expiresAt = pick([0, 127, 128, 1_764_176_400, .max, -5])
            entry.revisionNumber = pick([0, 1, 300])
            entry.createdAt = pick([0, 1_764_176_400])
            entry.additionalAttributes = pick([
                nil, .init(), .init(disableX509SVIDPrefetch: true), .init(jwtSVIDIncludeJTI: true),
                .init(disableX509SVIDPrefetch: true, jwtSVIDIncludeJTI: true),
            ])
            return entry
        }
    }

    @Test("the bytes are those swift-protobuf makes of the same entries, whatever the mask", arguments: 0..<8)
    func sameBytes(_ seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let entries = assorted(random)
        let mask = seed == 0 ? EntryMask.all : EntryMask(rawValue: UInt32(truncatingIfNeeded: random.next()) & 0x1fffc)
        let token = seed % 2 == 0 ? "" : "1234"
        let written = try handwritten(entries, mask, token: token)
        #expect(Array(written.readableBytesView) == (try generated(entries, mask, token: token)))
    }

    @Test("the results of a batch are those swift-protobuf makes", arguments: 0..<4)
    func sameResults(_ seed: UInt64) throws {
        typealias Results = Spire_Api_Server_Entry_V1_BatchCreateEntryResponse
        let random = SeededRandom(seed: seed)
        let mask = seed == 0 ? EntryMask.all : EntryMask(rawValue: UInt32(truncatingIfNeeded: random.next()) & 0x1fffc)
        let mapping = EntryMapping(ids)
        var encoder = EntryEncoder(ids, mask: mask, field: 1)
        var expected = Results()
        let failures = [
            nil, RPCStatus(.invalidArgument, String(repeating: "long ", count: 100)), RPCStatus(.internal, ""),
            RPCStatus(.alreadyExists, "similar entry already exists"),
        ]
        for (number, entry) in assorted(random).enumerated() {
            let status = failures[Int(random.next() % 4)]
            let hasEntry = number % 3 > 0
            if hasEntry {
                let isWritten = encoder.append(result: status, entry)
                #expect(isWritten)
            } else {
                encoder.append(result: status)
            }
            expected.results.append(
                .with {
                    $0.status = status.map { Spire_Api_Types_Status($0) } ?? .ok
                    if hasEntry, let shown = mapping.proto(entry, mask: mask) { $0.entry = shown }
                })
        }
        #expect(Array(try encoder.finished().readableBytesView) == (try expected.serializedBytes()))
    }

    @Test("a result with an entry that cannot be shown leaves nothing behind")
    func unreadableResult() throws {
        var bad = RegistrationEntry.made("/bad", id: "bad")
        bad.spiffeID = "not an id"
        var encoder = EntryEncoder(ids, mask: .all, field: 1)
        let isWritten = encoder.append(result: nil, bad)
        #expect(!isWritten)
        #expect(try encoder.finished().readableBytes == 0)
    }

    @Test("an entry whose stored ID is no SPIFFE ID is left out and named")
    func unreadable() throws {
        var bad = RegistrationEntry.made("/bad", id: "bad")
        bad.parentID = "not an id"
        var encoder = EntryEncoder(ids, mask: .all, field: 1)
        encoder.append(contentsOf: [.made("/a", id: "a"), bad, .made("/b", id: "b")])
        #expect(encoder.unreadable == ["bad"])
        let response = try Response(serializedBytes: Array(try encoder.finished().readableBytesView))
        #expect(response.entries.map(\.id) == ["a", "b"])
    }

    @Test("nothing at all is an empty message")
    func nothing() throws { #expect(try handwritten([], .all).readableBytes == 0) }
}
