// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

extension DatastoreConformance {
    static let entries: [Check] = [
        Check("an entry comes back as it was created") { store in
            _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://other.org"))
            var entry = RegistrationEntry.sample("/web", "uid:0", "gid:7")
            entry.x509SVIDTTL = 60
            entry.jwtSVIDTTL = 70
            entry.federatesWith = ["spiffe://other.org"]
            entry.dnsNames = ["z.example.org", "a.example.org"]
            entry.admin = true
            entry.downstream = true
            entry.hint = "internal"
            entry.expiresAt = 4_102_444_800
            entry.additionalAttributes = .init(disableX509SVIDPrefetch: true, jwtSVIDIncludeJTI: true)
            let created = try await store.add(entry)
            try require(created.createdAt > 0, "the creation time is set")
            try requireEqual(created.id.utf8.count, 36)
            entry.id = created.id
            entry.createdAt = created.createdAt
            try requireEqual(created, entry)
            try requireEqual(try await store.entry(id: entry.id), entry)
            try requireEqual(try await store.entries(ids: [entry.id, "none"]), [entry])
            try requireEqual(try await store.entry(id: "none"), nil)
        },
        Check("a similar entry is handed back instead of made twice") { store in
            let first = try await store.add(.sample("/web", "uid:0", "gid:0"))
            guard case .similar(let found) = try await store.createEntry(.sample("/web", "gid:0", "uid:0")) else {
                throw ConformanceFailure(description: "the similar entry was not found")
            }
            try requireEqual(found, first)
            try await store.add(.sample("/web", "uid:0"))
            try await store.add(.sample("/web", "uid:0", "gid:0", "user:x"))
            try await store.add(.sample("/web", parent: "/other", "uid:0", "gid:0"))
            try await store.add(.sample("/api", "uid:0", "gid:0"))
            try requireEqual(try await store.countEntries(EntryFilter()), 5)
        },
        Check("similar entries are found among many that share any part") { store in
            var entries: [RegistrationEntry] = []
            for number in 0..<100 {
                entries.append(.sample("/shared", parent: "/node\(number)", "uid:0"))
                entries.append(.sample("/one\(number)", parent: "/shared", "uid:0"))
                entries.append(.sample("/shared", parent: "/shared", "uid:\(number)"))
            }
            for result in try await store.createEntries(entries) {
                guard case .created = try result.get() else {
                    throw ConformanceFailure(description: "a new entry was taken for a similar one")
                }
            }
            for result in try await store.createEntries(entries) {
                guard case .similar = try result.get() else {
                    throw ConformanceFailure(description: "a similar entry was made twice")
                }
            }
            try requireEqual(try await store.countEntries(EntryFilter()), 300)
        },
        Check("a batch comes back as it was made, doubles within it told apart") { store in
            for name in ["one", "two"] { _ = try await store.createBundle(TrustBundle(trustDomainID: "spiffe://\(name).org")) }
            let there = try await store.add(.sample("/3", "uid:3", "gid:3"))
            var batch: [RegistrationEntry] = (0..<70).map { number in
                var entry = RegistrationEntry.sample("/\(number)", "uid:\(number)", "gid:\(number)")
                if number % 2 == 0 { entry.dnsNames = ["b\(number)", "a\(number)"] }
                if number % 3 == 0 { entry.federatesWith = ["spiffe://one.org", "spiffe://two.org"] }
                if number % 5 == 0 { entry.additionalAttributes = .init(jwtSVIDIncludeJTI: true) }
                entry.hint = "h\(number)"
                return entry
            }
            batch.append(.sample("/7", "gid:7", "uid:7"))
            let results = try await store.createEntries(batch).map { try $0.get() }
            var made: [RegistrationEntry] = []
            var similar: [RegistrationEntry] = []
            for result in results {
                switch result {
                case .created(let entry): made.append(entry)
                case .similar(let entry): similar.append(entry)
                }
            }
            try requireEqual(made.count, 69)
            try requireEqual(similar, [there, made[6]])
            let listed = try await store.listEntries(EntryFilter(), page: nil).items
            try requireEqual(listed, [there] + made)
            try requireEqual(try await store.entryEvents(after: 0).map(\.key), listed.map(\.id))
        },
        Check("entries that make no sense are refused with SPIRE's texts") { store in
            func refuse(_ text: String, _ change: (inout RegistrationEntry) -> Void) async throws {
                var entry = RegistrationEntry.sample()
                change(&entry)
                let bad = entry
                try await requireFailure(.invalid, "datastore-validation: " + text) { _ = try await store.createEntry(bad) }
            }
            try await refuse("invalid registration entry: missing selector list") { $0.selectors = [] }
            try await refuse("invalid registration entry: missing SPIFFE ID") { $0.spiffeID = "" }
            try await refuse("invalid registration entry: X509SvidTtl is not set") { $0.x509SVIDTTL = -1 }
            try await refuse("invalid registration entry: JwtSvidTtl is not set") { $0.jwtSVIDTTL = -1 }
            try await refuse("invalid registration entry: entry ID too long") {
                $0.id = String(repeating: "a", count: 256)
            }
            try await refuse("invalid registration entry: entry ID contains invalid characters") { $0.id = "a b" }
            try await refuse(
                "invalid registration entry: selector types must be the same when store SVID is enabled"
            ) {
                $0.storeSVID = true
                $0.selectors.append(Selector(type: "k8s", value: "ns:x"))
            }
            try requireEqual(try await store.countEntries(EntryFilter()), 0)
        },
        Check("a taken id is refused and leaves nothing behind") { store in
            try await store.add(.sample("/web", "uid:0", id: "my-own.id_1"))
            try await requireFailure(.alreadyExists) {
                _ = try await store.createEntry(.sample("/api", "uid:1", id: "my-own.id_1"))
            }
            try requireEqual(try await store.countEntries(EntryFilter()), 1)
        },
        Check("an entry may only federate with trust domains that have a bundle") { store in
            var entry = RegistrationEntry.sample()
            entry.federatesWith = ["spiffe://none.org"]
            let bad = entry
            try await requireFailure(
                .unknown, "datastore-sql: unable to find federated bundle \"spiffe://none.org\""
            ) { _ = try await store.createEntry(bad) }
            try requireEqual(try await store.countEntries(EntryFilter()), 0)
            try requireEqual(try await store.entryEvents(after: 0), [])
        },
        Check("of a batch each entry succeeds or fails by itself") { store in
            var twice = RegistrationEntry.sample("/twice", "uid:1")
            twice.selectors += twice.selectors
            var homeless = RegistrationEntry.sample("/homeless")
            homeless.federatesWith = ["spiffe://none.org"]
            let batch = [
                .sample("/a", id: "a"), twice, .sample("/b", id: "a"), homeless, RegistrationEntry(), .sample("/c"),
                .sample("/a"),
            ]
            let codes = try await store.createEntries(batch).map { result in
                switch result {
                case .success(.created): "created"
                case .success(.similar): "similar"
                case .failure(let error): error.code.name
                }
            }
            try requireEqual(
                codes,
                [
                    "created", "already_exists", "already_exists", "unknown", "invalid_argument", "created",
                    "similar",
                ])
            let stored = try await store.listEntries(EntryFilter(), page: nil).items
            try requireEqual(stored.map(\.spiffeID), ["spiffe://example.org/a", "spiffe://example.org/c"])
            try requireEqual(stored.map(\.selectors.count), [1, 1])
            try requireEqual(try await store.entryEvents(after: 0).count, 2)
        },
        Check("an update changes what its mask names, and the revision") { store in
            let first = try await store.add(.sample("/web", "uid:0", "gid:0"))
            var wanted = RegistrationEntry.sample("/else", parent: "/else", "uid:9", id: first.id)
            wanted.dnsNames = ["b", "a"]
            wanted.hint = "x"
            let updated = try await store.updateEntry(wanted, fields: [.selectors, .dnsNames])
            var expected = first
            expected.selectors = wanted.selectors
            expected.dnsNames = wanted.dnsNames
            expected.revisionNumber = 1
            try requireEqual(updated, expected)
            try requireEqual(try await store.entry(id: first.id), expected)
            let again = try await store.updateEntry(wanted, fields: .all)
            wanted.createdAt = first.createdAt
            wanted.revisionNumber = 2
            try requireEqual(again, wanted)
            try requireEqual(try await store.entry(id: first.id), wanted)
            try await requireFailure(.notFound, "datastore-sql: record not found") {
                _ = try await store.updateEntry(.sample(id: "none"), fields: .all)
            }
            let bad = RegistrationEntry()
            try await requireFailure(.invalid, "datastore-validation: invalid registration entry: missing selector list") {
                _ = try await store.updateEntry(bad, fields: .selectors)
            }
        },
        Check("a deleted entry is gone with all that hung on it, and can be made again") { store in
            let first = try await store.add(.sample("/web", "uid:0"))
            try requireEqual(try await store.deleteEntry(id: first.id), first)
            try requireEqual(try await store.entry(id: first.id), nil)
            try await requireFailure(.notFound, "datastore-sql: record not found") {
                _ = try await store.deleteEntry(id: first.id)
            }
            try await store.add(.sample("/web", "uid:0"))
            try requireEqual(try await store.entryEvents(after: 0).count, 3)
        },
        Check("expired entries are pruned, with an event each") { store in
            for (path, expiry) in [("/never", 0), ("/past", 100), ("/now", 200), ("/later", 300)] as [(String, Int64)] {
                var entry = RegistrationEntry.sample(path)
                entry.expiresAt = expiry
                try await store.add(entry)
            }
            let before = try await store.latestEntryEventID()
            let pruned = try await store.pruneEntries(expiredBefore: 200)
            try requireEqual(pruned.map(\.spiffeID), ["spiffe://example.org/past"])
            try requireEqual(try await store.countEntries(EntryFilter()), 3)
            try requireEqual(try await store.entryEvents(after: before).map(\.key), pruned.map(\.id))
        },
        Check("of many creations of one entry at once exactly one wins") { store in
            let created = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<40 {
                    group.addTask {
                        if case .created = try await store.createEntry(.sample("/race", "uid:1")) { return true }
                        return false
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            try requireEqual(created, 1)
            try requireEqual(try await store.countEntries(EntryFilter()), 1)
        },
    ]
}
