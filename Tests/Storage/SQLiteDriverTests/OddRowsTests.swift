// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork
import SQLDatastore
import TestKit
import Testing

/// Rows that this program does not write, but another or a damaged file may hold.
@Suite struct OddRowsTests {
    private func odd(_ statements: String) async throws -> [RegistrationEntry] {
        let scratch = Scratch()
        defer { scratch.remove() }
        let store = try await scratch.open()
        _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://one.org"))
        for number in 1...4 {
            var entry = RegistrationEntry.sample("/\(number)", "uid:\(number)", "gid:\(number)")
            entry.dnsNames = ["\(number).test"]
            entry.federatesWith = ["spiffe://one.org"]
            try await store.add(entry)
        }
        await store.close()
        #expect(scratch.sql(statements) == "")
        let again = try await scratch.open()
        let listed = try await again.listEntries(EntryFilter(), page: nil).items
        #expect(try await again.listEntryRecords(EntryFilter(), page: nil).entries.entries == listed)
        await again.close()
        return listed
    }

    @Test("what is left behind of deleted entries goes to no other entry")
    func leftBehind() async throws {
        let found = try await odd("DELETE FROM registered_entries WHERE id IN (2, 4);")
        #expect(found.map(\.spiffeID) == ["spiffe://example.org/1", "spiffe://example.org/3"])
        #expect(found.map { $0.selectors.map(\.value) } == [["uid:1", "gid:1"], ["uid:3", "gid:3"]])
        #expect(found.map(\.dnsNames) == [["1.test"], ["3.test"]])
        #expect(found.map(\.federatesWith) == [["spiffe://one.org"], ["spiffe://one.org"]])
    }

    @Test("an entry that has lost its selectors shows none of its neighbours'")
    func lostSelectors() async throws {
        let found = try await odd("DELETE FROM selectors WHERE registered_entry_id IN (1, 3); DELETE FROM dns_names WHERE registered_entry_id = 4;")
        #expect(found.map { $0.selectors.map(\.value) } == [[], ["uid:2", "gid:2"], [], ["uid:4", "gid:4"]])
        #expect(found.map(\.dnsNames) == [["1.test"], ["2.test"], ["3.test"], []])
    }

    @Test("bytes that are no UTF-8 are shown as such, in every text")
    func notUTF8() async throws {
        let found = try await odd(
            """
            UPDATE registered_entries SET hint = CAST(x'61FF62' AS TEXT) WHERE id = 1;
            UPDATE selectors SET value = CAST(x'C3' AS TEXT) WHERE registered_entry_id = 2 AND value = 'uid:2';
            UPDATE dns_names SET value = CAST(x'80807A7A7A7A7A7A7A7A' AS TEXT) WHERE registered_entry_id = 3;
            UPDATE registered_entries SET hint = x'', parent_id = CAST(x'FE' AS TEXT) WHERE id = 4;
            """)
        #expect(found[0].hint == "a\u{fffd}b")
        #expect(found[1].selectors.map(\.value) == ["\u{fffd}", "gid:2"])
        #expect(found[2].dnsNames == ["\u{fffd}\u{fffd}zzzzzzzz"])
        #expect(found[3].parentID == "\u{fffd}" && found[3].hint == "")
    }
}
