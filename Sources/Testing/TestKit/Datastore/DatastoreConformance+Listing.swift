// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

extension DatastoreConformance {
    static let listing: [Check] = [
        Check("entries are listed in the order they were made, page by page") { store in
            for number in 1...5 { try await store.add(.sample("/\(number)", "uid:\(number)", "gid:0")) }
            _ = try await store.deleteEntry(id: try await store.listEntries(EntryFilter(), page: nil).items[1].id)
            let everything = try await store.listEntries(EntryFilter(), page: nil)
            try requireEqual(everything.items.map { String($0.spiffeID.suffix(1)) }, ["1", "3", "4", "5"])
            try requireEqual(everything.nextToken, "")
            var paged: [RegistrationEntry] = []
            var page = PageRequest(size: 3)
            var sizes: [Int] = []
            repeat {
                let found = try await store.listEntries(EntryFilter(), page: page)
                paged += found.items
                sizes.append(found.items.count)
                page.token = found.nextToken
            } while !page.token.isEmpty
            try requireEqual(paged, everything.items)
            try requireEqual(sizes, [3, 1, 0])
        },
        Check("a folded listing is the listing, in order, with the same next page") { store in
            let made = (0..<2300).map { RegistrationEntry.sample("/\($0)", parent: $0 % 2 == 0 ? "/x" : "/y", "uid:\($0)") }
            for result in try await store.createEntries(made) { _ = try result.get() }
            func same(_ page: PageRequest?, _ change: (inout EntryFilter) -> Void = { _ in }) async throws {
                var filter = EntryFilter()
                change(&filter)
                let whole = try await store.listEntries(filter, page: page)
                let folded = try await store.foldEntries(filter, page: page, into: [String]()) { $0 += $1.entries.map(\.id) }
                try requireEqual(folded.result, whole.items.map(\.id))
                try requireEqual(folded.nextToken, whole.nextToken)
            }
            try await same(nil)
            try await same(PageRequest(size: 1500))
            try await same(PageRequest(size: 1000))
            try await same(PageRequest(token: "2000", size: 5000))
            try await same(nil) { $0.parentID = "spiffe://example.org/y" }
            try await same(PageRequest(size: 1100)) { $0.parentID = "spiffe://example.org/y" }
            try await same(nil) { $0.selectors = SelectorMatch([Selector(type: "unix", value: "uid:7")], .any) }
            try await requireFailure(.invalid, "cannot paginate with pagesize = 0") {
                _ = try await store.foldEntries(EntryFilter(), page: PageRequest(size: 0), into: 0) { $0 += $1.count }
            }
        },
        Check("entries for the many are the entries") { store in
            for name in ["one", "two"] { _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://\(name).org")) }
            for number in 0..<7 {
                var entry = RegistrationEntry.sample("/\(number)", parent: number % 3 == 0 ? "/x" : "/y", "uid:\(number)", "gid:é")
                entry.dnsNames = number % 2 == 0 ? ["b.test", "a.test"] : []
                entry.federatesWith = number == 3 ? ["spiffe://two.org", "spiffe://one.org"] : number == 4 ? ["spiffe://two.org"] : []
                entry.hint = number == 5 ? "Δ" : ""
                entry.expiresAt = number == 6 ? 4_000_000_000 : 0
                entry.additionalAttributes = number == 2 ? .init(jwtSVIDIncludeJTI: true) : nil
                entry.admin = number == 1
                entry.downstream = number == 2
                entry.storeSVID = number == 3
                entry.x509SVIDTTL = Int32(number)
                entry.jwtSVIDTTL = 300
                try await store.add(entry)
            }
            let wanted = try await store.listEntries(EntryFilter(), page: nil).items
            try requireEqual(wanted.count, 7)
            for page in [nil, PageRequest(size: 4), PageRequest(token: "4", size: 9)] {
                let plain = try await store.listEntries(EntryFilter(), page: page)
                let found = try await store.listEntryRecords(EntryFilter(), page: page)
                try requireEqual(found.entries.entries, plain.items)
                try requireEqual(found.nextToken, plain.nextToken)
            }
            // Scattered rows are read in another way than neighbours.
            for places in [[0, 1, 2], [0, 6], [3], []] {
                let asked = places.map { wanted[$0].id }
                let found = try await store.entryRecords(ids: asked + ["none"]).entries
                try requireEqual(found.sorted { $0.spiffeID < $1.spiffeID }, places.map { wanted[$0] })
            }
            try requireEqual(EntryRecords(wanted).entries, wanted)
        },
        Check("page requests that make no sense are refused") { store in
            try await requireFailure(.invalid, "cannot paginate with pagesize = 0") {
                _ = try await store.listEntries(EntryFilter(), page: PageRequest(size: 0))
            }
            try await requireFailure(.invalid, "could not parse token 'x1'") {
                _ = try await store.listEntries(EntryFilter(), page: PageRequest(token: "x1", size: 1))
            }
            let huge = PageRequest(token: "99999999999999999999999", size: 1)
            try requireEqual(try await store.listEntries(EntryFilter(), page: huge).items, [])
        },
        Check("filters on ids, hint and downstream select and count alike") { store in
            try await store.add(.sample("/a", parent: "/x"))
            try await store.add(.sample("/a", parent: "/y"))
            var third = RegistrationEntry.sample("/b", parent: "/y")
            third.hint = "h"
            third.downstream = true
            try await store.add(third)
            func expect(_ parents: [String], _ change: (inout EntryFilter) -> Void) async throws {
                var filter = EntryFilter()
                change(&filter)
                let listed = try await store.listEntries(filter, page: nil)
                let found = listed.items
                try requireEqual(found.map { String($0.spiffeID.suffix(1) + $0.parentID.suffix(1)) }, parents)
                try requireEqual(try await store.countEntries(filter), parents.count)
                let paged = try await store.listEntries(filter, page: PageRequest(size: 10)).items
                try requireEqual(paged, found)
            }
            try await expect(["ax", "ay"]) { $0.spiffeID = "spiffe://example.org/a" }
            try await expect(["ay", "by"]) { $0.parentID = "spiffe://example.org/y" }
            try await expect(["ay"]) {
                $0.spiffeID = "spiffe://example.org/a"
                $0.parentID = "spiffe://example.org/y"
            }
            try await expect(["by"]) { $0.hint = "h" }
            try await expect(["by"]) { $0.downstream = true }
            try await expect(["ax", "ay", "by"]) { $0.downstream = false }
            try await expect([]) {
                $0.hint = "h"
                $0.spiffeID = "spiffe://example.org/a"
            }
        },
        Check("the four selector matches of entries") { store in
            let sets = ["a": ["1"], "b": ["2"], "ab": ["1", "2"], "abc": ["1", "2", "3"], "c": ["3"]]
            for (name, values) in sets.sorted(by: { $0.key < $1.key }) {
                var entry = RegistrationEntry.sample("/" + name)
                entry.selectors = values.map { Selector(type: "t", value: $0) }
                try await store.add(entry)
            }
            func names(_ values: [String], _ behavior: MatchBehavior, size: Int? = nil) async throws -> [String] {
                var filter = EntryFilter()
                filter.selectors = SelectorMatch(values.map { Selector(type: "t", value: $0) }, behavior)
                var all: [RegistrationEntry] = []
                var page = size.map { PageRequest(size: $0) }
                repeat {
                    let found = try await store.listEntries(filter, page: page)
                    all += found.items
                    page?.token = found.nextToken
                } while page.map { !$0.token.isEmpty } ?? false
                try requireEqual(try await store.countEntries(filter), all.count)
                return all.map { String($0.spiffeID.dropFirst("spiffe://example.org/".count)) }
            }
            for size in [nil, 1, 2] as [Int?] {
                try requireEqual(try await names(["1", "2"], .exact, size: size), ["ab"])
                try requireEqual(try await names(["1", "2"], .subset, size: size), ["a", "ab", "b"])
                try requireEqual(try await names(["1", "2"], .superset, size: size), ["ab", "abc"])
                try requireEqual(try await names(["1", "2"], .any, size: size), ["a", "ab", "abc", "b"])
                try requireEqual(try await names(["9"], .any, size: size), [])
            }
            try requireEqual(try await names(["1", "1"], .exact), ["a"])
            try await requireFailure(.invalid, "cannot list by empty selector set") { _ = try await names([], .any) }
        },
        Check("the four federation matches of entries") { store in
            for name in ["a", "b", "c"] {
                _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://\(name)"))
            }
            for domains in ["", "a", "b", "ab", "abc", "c"] {
                var entry = RegistrationEntry.sample("/x" + domains)
                entry.federatesWith = domains.map { "spiffe://\($0)" }
                try await store.add(entry)
            }
            func names(_ domains: String, _ behavior: MatchBehavior) async throws -> [String] {
                var filter = EntryFilter()
                filter.federatesWith = FederatesWithMatch(domains.map { "spiffe://\($0)" }, behavior)
                let found = try await store.listEntries(filter, page: PageRequest(size: 100)).items
                try requireEqual(try await store.countEntries(filter), found.count)
                return found.map { String($0.spiffeID.dropFirst("spiffe://example.org/x".count)) }
            }
            try requireEqual(try await names("ab", .exact), ["ab"])
            try requireEqual(try await names("ab", .subset), ["a", "b", "ab"])
            try requireEqual(try await names("ab", .superset), ["ab", "abc"])
            try requireEqual(try await names("ab", .any), ["a", "b", "ab", "abc"])
            try requireEqual(try await names("az", .superset), [])
            try requireEqual(try await names("az", .any), ["a", "ab", "abc"])
            try requireEqual(try await names("z", .subset), [])
        },
        Check("scattered entries come with their own selectors and names") { store in
            for number in 0..<700 {
                var entry = RegistrationEntry.sample("/\(number)", parent: "/p\(number % 7)", "b:\(number)", "a:\(number)")
                entry.dnsNames = ["z\(number)", "a\(number)"]
                try await store.add(entry)
            }
            var filter = EntryFilter()
            filter.parentID = "spiffe://example.org/p3"
            let found = try await store.listEntries(filter, page: nil).items
            try requireEqual(found.count, 100)
            for entry in found {
                let number = entry.spiffeID.dropFirst("spiffe://example.org/".count)
                try requireEqual(entry.selectors.map(\.value), ["b:\(number)", "a:\(number)"])
                try requireEqual(entry.dnsNames, ["z\(number)", "a\(number)"])
            }
        },
    ]
}
