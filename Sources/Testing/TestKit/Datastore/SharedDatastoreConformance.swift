// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork

/// What several servers on one database have to get right together, as code that any shared database's tests run.
package enum SharedDatastoreConformance {
    package struct Check: Sendable, CustomStringConvertible {
        /// A sentence that states the behaviour.
        package let description: String
        /// Gets stores of different servers on one fresh database.
        package let run: @Sendable ([any Datastore]) async throws -> Void

        init(_ description: String, _ run: @escaping @Sendable ([any Datastore]) async throws -> Void) {
            self.description = description
            self.run = run
        }
    }

    /// How many servers a check gets.
    package static let servers = 3

    /// Runs `body` on all stores at once, `times` times each. - Returns: what came of them, failures included.
    private static func everywhere<Value: Sendable>(
        _ stores: [any Datastore], times: Int = 1,
        _ body: @escaping @Sendable (any Datastore, Int) async throws -> Value
    ) async -> [Result<Value, SpireError>] {
        await withTaskGroup(of: Result<Value, SpireError>.self) { group in
            for number in 0..<times {
                for (index, store) in stores.enumerated() {
                    group.addTask {
                        do {
                            return .success(try await body(store, number * stores.count + index))
                        } catch {
                            return .failure(error as? SpireError ?? SpireError(.internal, "\(error)"))
                        }
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    package static let all: [Check] = [
        Check("of servers that take one join token exactly one gets it") { stores in
            for number in 0..<10 { try await stores[0].createJoinToken(JoinToken(token: "t\(number)", expiry: 5)) }
            for number in 0..<10 {
                let taken = await everywhere(stores, times: 4) { store, _ in try await store.takeJoinToken("t\(number)") }
                try requireEqual(try taken.compactMap { try $0.get() }, [JoinToken(token: "t\(number)", expiry: 5)])
            }
        },
        Check("of servers that create the same entry exactly one does, the others are told of it") { stores in
            for number in 0..<10 {
                let outcomes = await everywhere(stores, times: 3) { store, _ in
                    try await store.createEntry(.sample("/one\(number)", "uid:1", "gid:\(number)"))
                }
                var created: [RegistrationEntry] = []
                var similar: [RegistrationEntry] = []
                for outcome in outcomes {
                    switch try outcome.get() {
                    case .created(let entry): created.append(entry)
                    case .similar(let entry): similar.append(entry)
                    }
                }
                try requireEqual(created.count, 1)
                try requireEqual(Set(similar.map(\.id)), [created[0].id])
            }
            try requireEqual(try await stores[0].countEntries(EntryFilter()), 10)
            try requireEqual(try await stores[1].entryEvents(after: 0).count, 10)
        },
        Check("of servers that create the same batches, in different orders, each entry is made once") { stores in
            let batch = (0..<40).map { RegistrationEntry.sample("/b\($0)", "uid:\($0)") }
            let outcomes = await everywhere(stores, times: 2) { store, index in
                try await store.createEntries(index % 2 == 0 ? batch : batch.reversed()).map { try $0.get() }
            }
            let made = try outcomes.flatMap { try $0.get() }.filter { if case .created = $0 { true } else { false } }
            try requireEqual(made.count, 40)
            try requireEqual(try await stores[2].countEntries(EntryFilter()), 40)
        },
        Check("a bundle that all append to at once, made by whoever is first, holds everything") { stores in
            let outcomes = await everywhere(stores, times: 4) { store, index in
                var bundle = TrustBundle(trustDomainID: "spiffe://example.org")
                bundle.jwtAuthorities = [.init(publicKey: [1], keyID: "k\(index)", expiresAt: 5)]
                return try await store.appendBundle(bundle)
            }
            for outcome in outcomes { _ = try outcome.get() }
            let bundle = try await stores[0].bundle(trustDomainID: "spiffe://example.org")
            try requireEqual(Set(bundle?.jwtAuthorities.map(\.keyID) ?? []).count, 4 * stores.count)
            try requireEqual(bundle?.sequenceNumber, UInt64(4 * stores.count - 1))
        },
        Check("a node's selectors, set by all at once, are those of one of them") { stores in
            for round in 0..<5 {
                let outcomes = await everywhere(stores, times: 2) { store, index in
                    let own = (0..<3).map { Selector(type: "t", value: "\(index).\($0)") }
                    try await store.setNodeSelectors(id: "n\(round)", own + [Selector(type: "t", value: "all")])
                }
                for outcome in outcomes { try outcome.get() }
                let found = try await stores[0].nodeSelectors(id: "n\(round)").map(\.value)
                let owner = found.first { $0 != "all" }?.prefix { $0 != "." } ?? ""
                try requireEqual(found.sorted(), (0..<3).map { "\(owner).\($0)" } + ["all"])
            }
        },
        Check("updates of one entry by all are counted one by one") { stores in
            let entry = try await stores[0].add(.sample())
            let outcomes = await everywhere(stores, times: 5) { store, index in
                var changed = entry
                changed.hint = "h\(index)"
                return try await store.updateEntry(changed, fields: .hint).revisionNumber
            }
            let revisions = try outcomes.map { try $0.get() }.sorted()
            try requireEqual(revisions, (1...Int64(5 * stores.count)).map(\.self))
        },
        Check("of servers that delete an entry, a node or a bundle one succeeds, the others find none") { stores in
            let entry = try await stores[0].add(.sample())
            try await stores[0].createNode(
                AttestedNode(spiffeID: "n", attestationType: "x", serialNumber: "1", expiresAt: 5))
            _ = try await stores[0].setBundle(TrustBundle(trustDomainID: "spiffe://other.org"))
            let deletions: [@Sendable (any Datastore, Int) async throws -> Void] = [
                { store, _ in try await store.deleteEntry(id: entry.id) },
                { store, _ in try await store.deleteNode(id: "n") },
                { store, _ in try await store.deleteBundle(trustDomainID: "spiffe://other.org", mode: .restrict) },
            ]
            for deletion in deletions {
                let outcomes = await everywhere(stores, times: 2, deletion)
                let failures = outcomes.compactMap { if case .failure(let error) = $0 { error.code } else { nil } }
                try requireEqual(failures, [SpireError.Code](repeating: .notFound, count: 2 * stores.count - 1))
            }
        },
        Check("of servers that attest the same node one creates it") { stores in
            let outcomes = await everywhere(stores, times: 2) { store, index in
                try await store.createNode(
                    AttestedNode(spiffeID: "n", attestationType: "x", serialNumber: "\(index)", expiresAt: 5))
            }
            let failures = outcomes.compactMap { if case .failure(let error) = $0 { error.code } else { nil } }
            try requireEqual(failures, [SpireError.Code](repeating: .alreadyExists, count: 2 * stores.count - 1))
        },
        Check("writes that touch the same rows in different orders all succeed") { stores in
            for name in ["a", "b", "c", "d"] {
                _ = try await stores[0].setBundle(TrustBundle(trustDomainID: "spiffe://\(name).org"))
                try await stores[0].add(.sample("/\(name)", id: name))
            }
            let outcomes = await everywhere(stores, times: 8) { store, index in
                let order = index % 2 == 0 ? ["a", "b", "c", "d"] : ["d", "c", "b", "a"]
                let name = order[index / 2 % 4]
                var entry = RegistrationEntry.sample("/\(name)", id: name)
                entry.federatesWith = order.map { "spiffe://\($0).org" }
                entry.selectors = (0..<4).map { Selector(type: "t", value: "\($0).\(index % 3)") }
                _ = try await store.updateEntry(entry, fields: [.federatesWith, .selectors])
                _ = try await store.pruneEntries(expiredBefore: 1)
                for name in order {
                    try await store.taint(name, index)
                }
            }
            for outcome in outcomes { try outcome.get() }
            let entries = try await stores[1].listEntries(EntryFilter(), page: nil).items
            try requireEqual(entries.map(\.federatesWith.count), [4, 4, 4, 4])
            try requireEqual(entries.map(\.selectors.count), [4, 4, 4, 4])
        },
    ]
}

extension BundleWriter {
    fileprivate func taint(_ name: String, _ index: Int) async throws {
        var bundle = TrustBundle(trustDomainID: "spiffe://\(name).org")
        bundle.jwtAuthorities = [.init(publicKey: [1], keyID: "k\(index)", expiresAt: 5)]
        _ = try await appendBundle(bundle)
    }
}
