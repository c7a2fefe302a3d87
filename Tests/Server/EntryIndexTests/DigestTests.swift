// SPDX-License-Identifier: Apache-2.0

import Datastore
import Testing

@testable import EntryIndex

@Suite struct DigestTests {
    private func digest(_ entries: (String, Int64, Int64)...) -> SetDigest {
        var digest = SetDigest()
        for (id, revision, createdAt) in entries {
            digest.add(EntryKey(id), revision: revision, createdAt: createdAt)
        }
        return digest
    }

    @Test("the order does not matter; id, revision and creation time do")
    func parts() {
        let one = digest(("a", 1, 2), ("0a6b7c8d-0000-4000-8000-00000000abcd", 3, 4))
        #expect(one == digest(("0a6b7c8d-0000-4000-8000-00000000abcd", 3, 4), ("a", 1, 2)))
        #expect(one != digest(("a", 2, 2), ("0a6b7c8d-0000-4000-8000-00000000abcd", 3, 4)))
        #expect(one != digest(("a", 1, 3), ("0a6b7c8d-0000-4000-8000-00000000abcd", 3, 4)))
        #expect(one != digest(("a", 1, 2), ("0a6b7c8d-0000-4000-8000-00000000abce", 3, 4)))
        #expect(one != digest(("a", 1, 2)))
        #expect(digest(("a", 1, 2), ("b", 1, 2)) != digest(("a", 1, 2), ("a", 1, 2)))
    }

    @Test("the numbers are those of the definition, which the agent's side computes too")
    func vector() {
        let digest = digest(("web", 7, 1_700_000_000), ("0a6b7c8d-0000-4000-8000-00000000abcd", 0, 0))
        #expect(digest == SetDigest(count: 2, low: 0xacd9db967061cee9, high: 0x7b4617095d0ed001))
    }

    @Test("a mailbox forgets whole changes, and says so")
    func mailbox() {
        var mail = Mailbox(floor: 10)
        #expect(mail.keys(after: 10) == [])
        #expect(mail.keys(after: 9) == nil)
        mail.add(.init([EntryKey("a"), EntryKey("b")]), 11)
        mail.add(.init([EntryKey("b"), EntryKey("c")]), 12)
        #expect(mail.keys(after: 10) == [EntryKey("a"), EntryKey("b"), EntryKey("c")])
        #expect(mail.keys(after: 11) == [EntryKey("b"), EntryKey("c")])
        for revision in 13..<(13 + UInt64(Mailbox.itemLimit)) { mail.add(.init([EntryKey("x")]), revision) }
        #expect(mail.keys(after: 11) == nil)
        #expect(mail.keys(after: 12) == [EntryKey("x")])
        mail.add(.init((0..<Mailbox.keyLimit + 1).map { EntryKey("k\($0)") }), 500)
        #expect(mail.items.isEmpty)
        #expect(mail.keys(after: 500) == [])
        #expect(mail.keys(after: 499) == nil)
    }
}
