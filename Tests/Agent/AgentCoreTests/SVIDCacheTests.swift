// SPDX-License-Identifier: Apache-2.0

import AgentCore
import FoundationEssentials
import Groundwork
import SPIFFE
import TestKit
import Testing

struct SVIDCacheTests {
    private let random = SeededRandom()

    private func plan(_ cache: inout SVIDCache, at now: Date = epoch) -> [String] {
        cache.planSigning(now: now, random: random).map(\.entry.id)
    }

    private func sign(_ cache: inout SVIDCache, _ entries: [AgentEntry], mark: UInt8 = 1) {
        cache.install(entries.map { ($0, svid(mark: mark)) })
        cache.publish()
    }

    @Test("a workload gets an entry only when it has all of the entry's selectors")
    func matching() {
        let both = entry("both", "/a", selectors("unix:uid:1", "unix:gid:2"))
        let one = entry("one", "/b", selectors("unix:uid:1"))
        let cache = cache([both, one])
        #expect(cache.matching(selectors("unix:uid:1")) == ["one"])
        #expect(cache.matching(selectors("unix:uid:1", "unix:gid:2", "unix:user:x")) == ["both", "one"])
        #expect(cache.matching(selectors("unix:gid:2")).isEmpty)
        #expect(cache.matching(SelectorSet([])).isEmpty)
    }

    @Test("a new subscriber waits until all its entries are signed, and then gets them in the order of their IDs")
    func waiting() {
        let (a, b) = (entry("a", "/a"), entry("b", "/b"))
        var cache = cache([a, b])
        let (feed, needsSigning) = cache.subscribe(selectors("unix:uid:1"), now: .zero)
        #expect(needsSigning)
        #expect(feed.latest.value == nil)
        #expect(cache.awaited().map(\.entry.id) == ["a", "b"])
        sign(&cache, [b])
        #expect(feed.latest.value == nil)
        sign(&cache, [a])
        #expect(feed.latest.value?.identities.map(\.entry.id) == ["a", "b"])
        #expect(cache.awaited().isEmpty)
    }

    @Test("a workload without entries is answered at once, with none")
    func none() {
        var cache = cache([entry("a")])
        let (feed, needsSigning) = cache.subscribe(selectors("unix:uid:99"), now: .zero)
        #expect(!needsSigning)
        #expect(feed.latest.value?.identities.isEmpty == true)
        let (empty, _) = cache.subscribe(SelectorSet([]), now: .zero)
        #expect(empty.latest.value?.identities.isEmpty == true)
    }

    @Test("subscribers with the same selectors share one feed")
    func sharing() {
        var cache = cache([entry("a")])
        let (first, _) = cache.subscribe(selectors("unix:uid:1"), now: .zero)
        let (second, _) = cache.subscribe(selectors("unix:uid:1"), now: .zero)
        #expect(first === second)
    }

    @Test("a new SVID, a new bundle, and entries that come and go are told to those concerned only")
    func notifications() {
        let web = entry("a", "/web", federatesWith: ["other.org"])
        var cache = cache([web])
        sign(&cache, [web])
        let (feed, _) = cache.subscribe(selectors("unix:uid:1"), now: .zero)
        let (other, _) = cache.subscribe(selectors("unix:uid:2"), now: .zero)
        let (before, otherBefore) = (feed.latest.value, other.latest.value)
        sign(&cache, [web], mark: 2)
        #expect(feed.latest.value?.identities.first?.svid.chain == [[0x30, 2]])
        #expect(feed.latest.value !== before)
        #expect(other.latest.value === otherBefore)

        _ = cache.replaceBundles([domain: bundle(), bundle("other.org").trustDomain: bundle("other.org")])
        cache.publish()
        #expect(feed.latest.value?.federated.map(\.trustDomain.name) == ["other.org"])
        #expect(other.latest.value === otherBefore)

        _ = cache.replaceBundles([domain: bundle(mark: 9)])
        cache.publish()
        #expect(other.latest.value?.bundle == bundle(mark: 9))
        #expect(feed.latest.value?.federated.isEmpty == true)

        _ = cache.apply(.complete([]))
        cache.publish()
        #expect(feed.latest.value?.identities.isEmpty == true)
    }

    @Test("a changed revision keeps the old SVID in use and has it signed anew")
    func revision() {
        let old = entry("a", revision: 1)
        var cache = cache([old])
        sign(&cache, [old])
        let (feed, _) = cache.subscribe(selectors("unix:uid:1"), now: .zero)
        let changes = cache.apply(.delta(present: ["a"], changed: [entry("a", revision: 2)]))
        cache.publish()
        #expect(changes.updated.map(\.id) == ["a"])
        #expect(feed.latest.value?.identities.count == 1)
        #expect(plan(&cache) == ["a"])
        sign(&cache, [entry("a", revision: 1)])
        #expect(plan(&cache) == ["a"])
        sign(&cache, [entry("a", revision: 2)])
        #expect(plan(&cache).isEmpty)
    }

    @Test("an entry that gets another SPIFFE ID never hands out the SVID of the old one")
    func otherID() {
        let old = entry("a", "/old")
        var cache = cache([old])
        sign(&cache, [old])
        let (feed, _) = cache.subscribe(selectors("unix:uid:1"), now: .zero)
        _ = cache.apply(.complete([entry("a", "/new", revision: 2)]))
        cache.publish()
        sign(&cache, [old])
        #expect(cache.update(for: selectors("unix:uid:1")).identities.isEmpty)
        sign(&cache, [entry("a", "/new", revision: 2)])
        #expect(feed.latest.value?.identities.map(\.entry.spiffeID.path) == ["/new"])
    }

    @Test("entries nobody asks for are signed up to the limit, and not when they say so")
    func prefetch() {
        var cache = cache(limit: 2, [entry("a"), entry("b"), entry("c"), entry("d", skipsPrefetch: true)])
        #expect(plan(&cache) == ["a", "b"])
        let (_, _) = cache.subscribe(selectors("unix:uid:1"), now: .zero)
        #expect(plan(&cache) == ["a", "b", "c", "d"])
    }

    @Test("over the limit the SVIDs unused longest are dropped, never those in use")
    func eviction() {
        let all = (0..<4).map { entry("e\($0)", "/\($0)", selectors("unix:uid:\($0)")) }
        var cache = cache(limit: 2, all)
        for (index, now) in [(0, 1), (1, 5), (2, 3), (3, 2)] {
            let (feed, _) = cache.subscribe(selectors("unix:uid:\(index)"), now: .seconds(now))
            sign(&cache, [all[index]])
            if index != 3 { cache.unsubscribe(feed) }
        }
        #expect(cache.svidCount == 4)
        #expect(plan(&cache).isEmpty)
        #expect(cache.svidCount == 2)
        #expect(cache.allSVIDs().map(\.id) == ["e1", "e3"])
    }

    @Test("an SVID past half of its life is planned for renewal, after those somebody waits for")
    func renewal() {
        let (a, b) = (entry("a"), entry("b", "/b", selectors("unix:uid:2")))
        var cache = cache(limit: 1, [a, b])
        sign(&cache, [a])
        #expect(plan(&cache).isEmpty)
        let (_, _) = cache.subscribe(selectors("unix:uid:2"), now: .zero)
        #expect(plan(&cache, at: epoch.addingTimeInterval(2500)) == ["b", "a"])
    }

    @Test("a dropped SVID is still handed out until its successor is signed")
    func tainted() {
        let a = entry("a")
        var cache = cache([a])
        sign(&cache, [a])
        let (feed, _) = cache.subscribe(selectors("unix:uid:1"), now: .zero)
        cache.dropSVIDs(["a"])
        cache.publish()
        #expect(feed.latest.value?.identities.count == 1)
        #expect(cache.awaited().map(\.entry.id) == ["a"])
        sign(&cache, [a], mark: 7)
        #expect(feed.latest.value?.identities.first?.svid.chain == [[0x30, 7]])
    }

    @Test("entries whose SVID goes to a store are not for workloads")
    func stored() {
        var cache = cache([entry("a", storesSVID: true)])
        #expect(cache.matching(selectors("unix:uid:1")).isEmpty)
        #expect(plan(&cache).isEmpty)
        #expect(cache.entryCount == 1)
    }

    @Test("a feed nobody follows any more is forgotten with time, and its numbers stay right")
    func idle() {
        let a = entry("a")
        var cache = cache([a])
        sign(&cache, [a])
        let (feed, _) = cache.subscribe(selectors("unix:uid:1"), now: .seconds(1))
        cache.unsubscribe(feed)
        let (again, _) = cache.subscribe(selectors("unix:uid:1"), now: .seconds(2))
        #expect(again === feed)
        cache.unsubscribe(again)
        cache.dropIdleFeeds(since: .seconds(1))
        #expect(cache.subscribe(selectors("unix:uid:1"), now: .seconds(3)).feed === feed)
        cache.unsubscribe(feed)
        cache.dropIdleFeeds(since: .seconds(9))
        #expect(cache.subscribe(selectors("unix:uid:1"), now: .seconds(10)).feed !== feed)
    }

    @Test("bundles are asked for those trust domains only that entries federate with")
    func federation() {
        let cache = cache([entry("a", federatesWith: ["x.org"]), entry("b", federatesWith: ["y.org"])])
        let after = cache.federatedDomains(
            after: .delta(present: ["a", "c"], changed: [entry("c", federatesWith: ["z.org", "example.org"])]))
        #expect(after.map(\.name) == ["x.org", "z.org"])
    }
}

struct HintTests {
    @Test("among equal hints the oldest entry stays, then the smaller ID")
    func unique() {
        let list = [
            entry("a", hint: "x", createdAt: 5), entry("b", hint: "x", createdAt: 3), entry("c", hint: "x", createdAt: 3),
            entry("d"), entry("e"),
        ]
        let (kept, dropped) = list.withUniqueHints()
        #expect(kept.map(\.id) == ["b", "d", "e"])
        #expect(dropped.map(\.id) == ["a", "c"])
    }
}

struct JWTCacheTests {
    private func token(_ text: String) -> WorkloadJWT {
        WorkloadJWT(token: text, issuedAt: epoch, expiresAt: epoch.addingTimeInterval(300))
    }

    @Test("the order of audiences does not matter, the identity and each audience do")
    func keys() {
        var cache = JWTCache(limit: 10)
        cache.insert(token("t"), for: .init(spiffeID: "spiffe://a/b", audience: ["y", "x"]))
        #expect(cache.lookup(.init(spiffeID: "spiffe://a/b", audience: ["x", "y"]))?.token == "t")
        #expect(cache.lookup(.init(spiffeID: "spiffe://a/b", audience: ["x"])) == nil)
        #expect(cache.lookup(.init(spiffeID: "spiffe://a/c", audience: ["x", "y"])) == nil)
    }

    @Test("tokens of differently spelled audiences are different tokens; their order does not matter")
    func audiences() {
        let key = { JWTCache.Key(spiffeID: "spiffe://example.org/a", audience: $0) }
        #expect(key(["a", "b"]) == key(["b", "a"]))
        #expect(key(["caf\u{E9}"]) != key(["cafe\u{301}"]))
    }

    @Test("a full cache forgets the token used longest ago")
    func eviction() {
        var cache = JWTCache(limit: 2)
        let key = { (name: String) in JWTCache.Key(spiffeID: name, audience: ["a"]) }
        cache.insert(token("1"), for: key("1"))
        cache.insert(token("2"), for: key("2"))
        _ = cache.lookup(key("1"))
        cache.insert(token("3"), for: key("3"))
        #expect(cache.count == 2)
        #expect(cache.lookup(key("2")) == nil)
        #expect(cache.lookup(key("1")) != nil && cache.lookup(key("3")) != nil)
        #expect(cache.removeAll { $0.token == "1" } == 1)
        cache.insert(token("4"), for: key("4"))
        cache.insert(token("5"), for: key("5"))
        #expect(cache.lookup(key("3")) == nil && cache.count == 2)
    }
}
