// SPDX-License-Identifier: Apache-2.0

import AgentCore
import Groundwork
import SPIFFE
import TestKit
import Testing

struct EntryPushTests {
    @Test("the digest's numbers are those of the definition, which the server's side computes too")
    func vector() {
        var digest = SetDigest()
        digest.add(.init(id: "web", number: 7, createdAt: 1_700_000_000))
        digest.add(.init(id: "0a6b7c8d-0000-4000-8000-00000000abcd", number: 0, createdAt: 0))
        #expect(digest == SetDigest(count: 2, low: 0xacd9_db96_7061_cee9, high: 0x7b46_1709_5d0e_d001))
        digest.subtract(.init(id: "web", number: 7, createdAt: 1_700_000_000))
        digest.subtract(.init(id: "0a6b7c8d-0000-4000-8000-00000000abcd", number: 0, createdAt: 0))
        #expect(digest == SetDigest())
    }

    private func part(_ ids: String..., complete: Bool = false, removed: [String] = []) -> EntryPush.Change {
        var change = EntryPush.Change()
        change.isComplete = complete
        change.entries = ids.map { entry($0) }
        change.removed = removed
        return change
    }

    @Test("parts of one change are put together, and none is used before the last")
    func parts() throws {
        var push = EntryPush()
        #expect(try push.received(part("a", complete: true), more: true) == nil)
        #expect(try push.received(part("b", complete: true), more: true) == nil)
        var last = part("c", complete: true)
        last.position = .init(epoch: 1, revision: 2)
        let whole = try #require(try push.received(last, more: false))
        #expect(whole.isComplete && whole.entries.map(\.id) == ["a", "b", "c"] && whole.position?.revision == 2)
        #expect(try push.received(part("d", removed: ["a"]), more: false)?.removed == ["a"])
    }

    @Test("a complete set that turns into something else is refused")
    func mixed() throws {
        var push = EntryPush()
        _ = try push.received(part("a", complete: true), more: true)
        #expect(throws: SpireError.self) { try push.received(part("b"), more: false) }
    }

    @Test("the cache's digest follows every way an entry can come, change and go")
    func digest() {
        func digest(_ entries: [AgentEntry]) -> SetDigest { entries.reduce(into: SetDigest()) { $0.add($1.version) } }
        var cache = cache(limit: 10, [entry("a"), entry("b", revision: 3)])
        #expect(cache.digest == digest([entry("a"), entry("b", revision: 3)]))
        _ = cache.apply(changed: [entry("a", revision: 2), entry("c", storesSVID: true)], removed: ["b", "never"])
        #expect(cache.digest == digest([entry("a", revision: 2), entry("c", storesSVID: true)]))
        _ = cache.apply(changed: [entry("a", "/moved", revision: 3), entry("a", "/moved", revision: 3)], removed: [])
        #expect(cache.digest == digest([entry("a", revision: 3), entry("c")]))
        _ = cache.apply(.complete([]))
        #expect(cache.digest == SetDigest())
    }

    @Test("what a change brings is signed for those who wait, then for others as far as there is room")
    func renewals() {
        var cache = cache(limit: 2, [entry("a")])
        let waiting = entry("w", "/w", selectors("unix:uid:9"), skipsPrefetch: true)
        _ = cache.subscribe(selectors("unix:uid:9"), now: .zero)
        _ = cache.apply(
            changed: [waiting, entry("b"), entry("c"), entry("d"), entry("e", skipsPrefetch: true)], removed: [])
        cache.publish()
        #expect(cache.renewals(of: ["w", "b", "c", "d", "e", "gone"]).map(\.entry.id) == ["b", "c", "w"])
        cache.install([(entry("b"), svid())])
        _ = cache.apply(changed: [entry("b", revision: 2)], removed: [])
        #expect(cache.renewals(of: ["b"]).map(\.entry.revision) == [2])
    }
}
