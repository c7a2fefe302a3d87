// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Groundwork
import Testing

struct EntrySyncTests {
    private func revisions(_ range: Range<Int>, more: Bool) -> EntrySync.Page {
        let list = range.map { EntrySync.Revision(id: "e\($0)", number: 1, createdAt: 0) }
        return EntrySync.Page(revisions: list, entries: [], counts: (list.count, 0), more: more)
    }

    private func entries(_ ids: [String], more: Bool) -> EntrySync.Page {
        EntrySync.Page(revisions: [], entries: ids.map { entry($0) }, counts: (0, ids.count), more: more)
    }

    @Test("a first answer without revisions is the whole list")
    func complete() throws {
        var sync = EntrySync()
        #expect(try sync.received(entries(["a", "b"], more: false)) == .done(.complete([entry("a"), entry("b")])))
        var empty = EntrySync()
        #expect(try empty.received(entries([], more: false)) == .done(.complete([])))
    }

    @Test("revisions are collected, and stale entries asked for in sorted pages of the server's page size")
    func pages() throws {
        var sync = EntrySync()
        #expect(try sync.received(revisions(0..<2, more: true)) == .receive)
        guard case .compare(let all) = try sync.received(revisions(2..<3, more: false)) else {
            return #expect(Bool(false))
        }
        #expect(all.map(\.id) == ["e0", "e1", "e2"])
        #expect(sync.compared(stale: ["e2", "e0", "e1"]) == .request(["e0", "e1"]))
        #expect(try sync.received(entries(["e0"], more: true)) == .receive)
        #expect(try sync.received(entries(["e1"], more: false)) == .request(["e2"]))
        #expect(
            try sync.received(entries(["e2"], more: false))
                == .done(.delta(present: ["e0", "e1", "e2"], changed: [entry("e0"), entry("e1"), entry("e2")])))
    }

    @Test("when nothing is stale the exchange ends without a request")
    func current() throws {
        var sync = EntrySync()
        _ = try sync.received(revisions(0..<2, more: false))
        #expect(sync.compared(stale: []) == .done(.delta(present: ["e0", "e1"], changed: [])))
    }

    @Test("entries among revisions, and revisions among entries, break the protocol")
    func violations() throws {
        var first = EntrySync()
        _ = try first.received(revisions(0..<1, more: true))
        #expect(throws: SpireError(.syncProtocol, "")) { try first.received(entries(["x"], more: false)) }
        var second = EntrySync()
        _ = try second.received(revisions(0..<1, more: false))
        _ = second.compared(stale: ["e0"])
        #expect(throws: SpireError(.syncProtocol, "")) { try second.received(revisions(0..<1, more: false)) }
    }

    @Test("an entry counts as held only in the same revision, and of the same creation when the server tells it")
    func holding() {
        let cache = cache([entry("a", revision: 3, createdAt: 7)])
        #expect(cache.holds(.init(id: "a", number: 3, createdAt: 7)))
        #expect(cache.holds(.init(id: "a", number: 3, createdAt: 0)))
        #expect(!cache.holds(.init(id: "a", number: 4, createdAt: 7)))
        #expect(!cache.holds(.init(id: "a", number: 3, createdAt: 8)))
        #expect(!cache.holds(.init(id: "b", number: 3, createdAt: 7)))
    }
}
