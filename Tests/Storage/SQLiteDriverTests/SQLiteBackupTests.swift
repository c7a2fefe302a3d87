// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import Logging
import SQLDatastore
import Synchronization
import Testing
import TestKit

@testable import SQLiteDriver

@Suite struct SQLiteBackupTests {
    /// Keeps a dump in memory and gives it back.
    private final class Tape: StoredSink {
        var records: [StoredRecord] = []
        func take(_ record: StoredRecord) throws { records.append(record) }
    }

    private final class Playback: StoredSource {
        private var rest: ArraySlice<StoredRecord>
        private let failAfter: Int?
        private var given = 0
        init(_ records: [StoredRecord], failAfter: Int? = nil) {
            rest = records[...]
            self.failAfter = failAfter
        }
        func next() throws -> StoredRecord? {
            given += 1
            if let failAfter, given > failAfter { throw SpireError(.io, "torn") }
            return rest.popFirst()
        }
    }

    private func open() async throws -> SQLDatastore {
        try await SQLiteDatastore.open(
            SQLDatastoreConfiguration(connectionString: ":memory:"), time: ManualClock(), random: SeededRandom(),
            logger: Logger(label: "sql") { _ in SwiftLogNoOpLogHandler() })
    }

    private func filled() async throws -> SQLDatastore {
        let store = try await open()
        _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://other.test"))
        for number in 0..<200 {
            var entry = RegistrationEntry.sample("/e\(number)", "uid:\(number)", "gid:\(number)", id: "e\(number)")
            entry.hint = number % 3 == 0 ? "h'\"\u{1F511}" : ""
            entry.dnsNames = ["b.example", "a.example"]
            entry.federatesWith = number % 2 == 0 ? ["spiffe://other.test"] : []
            entry.additionalAttributes = number % 5 == 0 ? .init(jwtSVIDIncludeJTI: true) : nil
            try await store.add(entry)
        }
        _ = try await store.deleteEntry(id: "e7")
        try await store.createNode(
            AttestedNode(
                spiffeID: "spiffe://example.org/spire/agent/a", attestationType: "t", serialNumber: "12", expiresAt: 99))
        try await store.setNodeSelectors(id: "spiffe://example.org/spire/agent/a", [Selector(type: "a", value: "b")])
        try await store.createJoinToken(JoinToken(token: "t", expiry: 5))
        _ = try await store.setCAJournal(CAJournal(data: [0, 255, 1], activeX509AuthorityID: "x"))
        _ = try await store.beginEntrySet(owner: "team")
        return store
    }

    private func dump(_ store: SQLDatastore) async throws -> [StoredRecord] {
        try await store.dump { pour in
            let tape = Tape()
            try pour(tape)
            return tape.records
        }
    }

    @Test("a dump that is loaded into another database is the same state, to every role")
    func roundTrip() async throws {
        let source = try await filled()
        let records = try await dump(source)
        let target = try await open()
        #expect(try await target.isEmpty())
        #expect(try await target.restoration() == nil)
        try await target.load(takenAt: 77) { Playback(records) }
        #expect(try await target.isEmpty() == false)
        #expect(try await target.restoration()?.takenAt == 77)
        let wanted = try await source.listEntries(EntryFilter(), page: nil).items
        #expect(try await target.listEntries(EntryFilter(), page: nil).items == wanted)
        #expect(wanted.count == 199)
        let nodes = try await source.listNodes(NodeFilter(), page: nil, withSelectors: true).items
        #expect(try await target.listNodes(NodeFilter(), page: nil, withSelectors: true).items == nodes)
        #expect(try await target.joinToken("t") == JoinToken(token: "t", expiry: 5))
        #expect(try await target.listCAJournals() == source.listCAJournals())
        #expect(try await target.listBundles(page: nil).items == source.listBundles(page: nil).items)
        #expect(try await target.entryEvents(after: 0) == source.entryEvents(after: 0))
        #expect(try await dump(target) == records)
        // What is created now does not take an id that was given out before.
        try await target.add(.sample("/new", id: "new"))
        #expect(try await target.latestEntryEventID() > source.latestEntryEventID())
        #expect(try await target.beginEntrySet(owner: "team") == 2)
    }

    @Test("loading replaces everything there was, in one step, or nothing when the source breaks off")
    func replaces() async throws {
        let records = try await dump(try await filled())
        let target = try await open()
        try await target.add(.sample("/mine", id: "mine"))
        try await target.createJoinToken(JoinToken(token: "mine", expiry: 5))
        for broken in [1, 2, 50, records.count / 2, records.count] {
            await #expect(throws: SpireError.self) {
                try await target.load(takenAt: 77) { Playback(records, failAfter: broken) }
            }
            #expect(try await target.listEntries(EntryFilter(), page: nil).items.map(\.id) == ["mine"])
            #expect(try await target.restoration() == nil)
        }
        try await target.load(takenAt: 77) { Playback(records) }
        #expect(try await target.entry(id: "mine") == nil)
        #expect(try await target.joinToken("mine") == nil)
        #expect(try await dump(target) == records)
    }
}
