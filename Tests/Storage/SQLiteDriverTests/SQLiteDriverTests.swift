// SPDX-License-Identifier: Apache-2.0

import CSQLite
import Datastore
import Groundwork
import Logging
import TestKit
import Testing

@testable import SQLDatastore
@testable import SQLiteDriver

@Suite struct SQLiteDriverTests {
    @Test("connection strings are paths, file URIs or :memory:")
    func locations() throws {
        #expect(try SQLiteLocation("./data/d.sqlite3").path == "./data/d.sqlite3")
        #expect(try SQLiteLocation("/a b/100%?_journal_mode=WAL").uri == "file:/a b/100%25?_journal_mode=WAL&cache=private")
        #expect(try SQLiteLocation("file:/a/d%20b?mode=rwc&cache=shared").path == "/a/d b")
        #expect(try SQLiteLocation("file:/a/d%20b?mode=rwc&cache=shared").uri == "file:/a/d%20b?mode=rwc&cache=private")
        #expect(try SQLiteLocation("file:///a/b").path == "/a/b")
        #expect(try SQLiteLocation("file:relative").path == "relative")
        for memory in [":memory:", "file::memory:?cache=shared", "file:x?mode=memory&cache=shared"] {
            #expect(try SQLiteLocation(memory).path == nil)
        }
        func text(_ string: String) -> String {
            do { return try SQLiteLocation(string).uri } catch { return "\(error)" }
        }
        #expect(text("postgres://x") == "datastore-sql: unsupported scheme \"postgres\"")
        #expect(text("") == "datastore-sql: connection_string must be set")
    }

    @Test("times are written as the original writes them, and read in every form it reads")
    func times() {
        func written(_ seconds: Int64, _ nanoseconds: Int32 = 0) -> String {
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: SQLiteTime.capacity) { buffer in
                let count = SQLiteTime.write(SQLTime(seconds: seconds, nanoseconds: nanoseconds), to: buffer)
                return String(decoding: buffer[..<count], as: UTF8.self)
            }
        }
        func read(_ text: String) -> Int64? {
            Array(text.utf8).withUnsafeBufferPointer { SQLiteTime.seconds($0) }
        }
        #expect(written(1_795_223_032, 468_808_490) == "2026-11-21 01:03:52.46880849+00:00")
        #expect(written(2_110_583_032) == "2036-11-18 01:03:52+00:00")
        #expect(written(0) == "1970-01-01 00:00:00+00:00")
        #expect(written(951_782_400) == "2000-02-29 00:00:00+00:00")
        #expect(written(-1, 1) == "1969-12-31 23:59:59.000000001+00:00")
        #expect(written(.max) == "9999-12-31 23:59:59+00:00")
        #expect(read("2026-11-21 01:03:52.46880849+00:00") == 1_795_223_032)
        #expect(read("2026-11-21T02:03:52+01:00") == 1_795_223_032)
        #expect(read("2026-11-21 01:03:52") == 1_795_223_032)
        for bad in ["", "2026", "2026-13-21 01:03:52", "2026-11-21 01:03:5", "x026-11-21 01:03:52"] {
            #expect(read(bad) == nil)
        }
        for step in stride(from: -60_000_000_000 as Int64, to: 200_000_000_000, by: 98_765_431) {
            #expect(read(written(step)) == step)
        }
    }

    private func openingFails(_ scratch: Scratch, _ name: String) async -> String {
        do {
            let store = try await scratch.open(name)
            await store.close()
            return "opened"
        } catch {
            return "\(error)"
        }
    }

    @Test("files that are no datastore are refused by name, and left alone")
    func foreignFiles() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        scratch.shell("head -c 9000 /dev/urandom > \(scratch.path)/noise; mkdir \(scratch.path)/folder")
        scratch.sql("CREATE TABLE photos (id integer)", on: "other")
        let sum = scratch.shell("md5sum < \(scratch.path)/noise")
        #expect(await openingFails(scratch, "noise").hasSuffix("/noise: file is not a database"))
        #expect(scratch.shell("md5sum < \(scratch.path)/noise") == sum)
        #expect(await openingFails(scratch, "folder").contains("unable to open database file"))
        #expect(await openingFails(scratch, "none/d.sqlite3").contains("unable to open database file"))
        #expect(await openingFails(scratch, "other").contains("tables of another application"))
        #expect(scratch.sql("SELECT name FROM sqlite_master", on: "other") == "photos\n")
    }

    @Test("a new database is not readable by everybody")
    func fileMode() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let store = try await scratch.open()
        try await store.add(.sample())
        #expect(scratch.shell("find \(scratch.path) -name 'datastore*' -perm /007") == "")
        #expect(scratch.shell("ls \(scratch.path)").contains("datastore.sqlite3-wal"))
        await store.close()
    }

    @Test("what was answered is on disk, also when the program never closes the database")
    func reopening() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let first = try await scratch.open()
        try await first.add(.sample(id: "e"))
        let second = try await scratch.open()
        #expect(try await second.entry(id: "e") != nil)
        #expect(scratch.sql("SELECT count(*) FROM registered_entries") == "1\n")
        await second.close()
        await first.close()
        await #expect(throws: SpireError.self) { _ = try await first.entry(id: "e") }
        await #expect(throws: SpireError.self) { try await first.add(.sample("/x")) }
    }

    @Test("two servers on one file do not lose or double anything")
    func twoWriters() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let stores = [try await scratch.open(), try await scratch.open()]
        for number in 0..<20 { try await stores[0].createJoinToken(JoinToken(token: "t\(number)", expiry: 5)) }
        let taken = try await withThrowingTaskGroup(of: Int.self) { group in
            for store in stores {
                for number in 0..<20 {
                    group.addTask {
                        _ = try await store.createEntry(.sample("/w\(number)"))
                        return try await store.takeJoinToken("t\(number)") == nil ? 0 : 1
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(taken == 20)
        #expect(try await stores[1].countEntries(EntryFilter()) == 20)
        for store in stores { await store.close() }
    }

    @Test("writes that share a commit fail alone")
    func groups() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let store = try await scratch.open()
        var twice = RegistrationEntry.sample("/twice")
        twice.selectors += twice.selectors
        let bad = twice
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask {
                    do {
                        _ = try await store.createEntry(number % 10 == 3 ? bad : .sample("/w\(number)"))
                        return true
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(into: [true: 0, false: 0]) { $0[$1, default: 0] += 1 }
        }
        #expect(outcomes == [true: 180, false: 20])
        #expect(try await store.countEntries(EntryFilter()) == 180)
        #expect(try await store.entryEvents(after: 0).count == 180)
        await store.close()
        #expect(scratch.sql("SELECT count(*) FROM selectors") == "180\n")
    }

    @Test("followers hear of changes to entries and nodes once they are committed")
    func changes() async throws {
        let store = try await memoryStore()
        #expect(store.localChanges.value == 0)
        try await store.add(.sample())
        #expect(store.localChanges.value == 1)
        try await store.setNodeSelectors(id: "n", [])
        #expect(store.localChanges.value == 2)
        _ = try await store.countEntries(EntryFilter())
        try await store.createJoinToken(JoinToken(token: "t", expiry: 1))
        #expect(store.localChanges.value == 2)
        await store.close()
    }

    @Test("rows the original leaves behind or null in are read without harm")
    func cruft() async throws {
        let scratch = Scratch()
        defer { scratch.remove() }
        let store = try await scratch.open()
        try await store.add(.sample("/a", "uid:1"))
        try await store.add(.sample("/b", "uid:2"))
        scratch.sql(
            """
            DELETE FROM registered_entries WHERE id = 1;
            UPDATE registered_entries SET hint = NULL, created_at = NULL, store_svid = NULL;
            INSERT INTO dns_names (registered_entry_id, value) VALUES (1, 'x'), (99, 'y');
            INSERT INTO federated_registration_entries VALUES (7, 2);
            """)
        let left = try await store.listEntries(EntryFilter(), page: nil).items
        #expect(left.map(\.spiffeID) == ["spiffe://example.org/b"])
        #expect(left[0].selectors.map(\.value) == ["uid:2"] && left[0].dnsNames == [] && left[0].hint == "")
        #expect(left[0].federatesWith == [])
        await store.close()
    }

    @Test("certificates are read for their expiry and key id; noise is refused")
    func certificateFacts() throws {
        for (index, sample) in TrustBundle.sampleRoots.enumerated() {
            let der = try TrustBundle.sampleRoot(index).der
            #expect(CertificateFacts(der: der)?.notAfter == sample.notAfter)
            #expect(CertificateFacts(der: der)?.subjectKeyID == sample.subjectKeyID)
            for length in 0..<der.count { _ = CertificateFacts(der: Array(der.prefix(length))) }
            for position in der.indices {
                var bent = der
                bent[position] ^= 0x80
                _ = CertificateFacts(der: bent)
            }
        }
        #expect(CertificateFacts(der: []) == nil)
    }
}
