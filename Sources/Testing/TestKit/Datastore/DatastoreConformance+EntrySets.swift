// SPDX-License-Identifier: Apache-2.0

import Datastore
import Groundwork

extension DatastoreConformance {
    static let entrySets: [Check] = [
        Check("events are pruned to the last old one, however many there are, and no younger one is") { store in
            let many = (0..<2500).map { RegistrationEntry.sample("/e\($0)", "uid:\($0)", id: "e\($0)") }
            for start in stride(from: 0, to: many.count, by: 500) {
                _ = try await store.createEntries(Array(many[start..<start + 500]))
            }
            try await store.pruneEvents(olderThan: 1000)
            try requireEqual(try await store.entryEvents(after: 0).count, 2500)
            let last = try await store.latestEntryEventID()
            try await store.pruneEvents(olderThan: 4_000_000_000)
            try requireEqual(try await store.entryEvents(after: 0), [])
            try await store.add(.sample("/one-more"))
            try require(try await store.latestEntryEventID() > last, "event ids are not used twice")
        },
        Check("a turn of an owner ends its earlier turns, and no one else's") { store in
            let first = try await store.beginEntrySet(owner: "team-a")
            let other = try await store.beginEntrySet(owner: "team-b")
            let second = try await store.beginEntrySet(owner: "team-a")
            try require(second > first, "generation \(second) after \(first)")
            let entry = RegistrationEntry.sample(id: "apply.team-a.1")
            try await requireFailure(.entrySetSuperseded) {
                _ = try await store.changeEntries(
                    [.create(entry)], turn: EntrySetTurn(owner: "team-a", generation: first))
            }
            try requireEqual(try await store.countEntries(EntryFilter()), 0)
            try await requireFailure(.entrySetSuperseded) {
                _ = try await store.changeEntries(
                    [.create(entry)], turn: EntrySetTurn(owner: "nobody", generation: 1))
            }
            let ours = try await store.makes(.create(entry), turn: EntrySetTurn(owner: "team-a", generation: second))
            try require(ours, "the last turn was refused")
            let theirs = RegistrationEntry.sample("/b", id: "apply.team-b.1")
            let made = try await store.makes(.create(theirs), turn: EntrySetTurn(owner: "team-b", generation: other))
            try require(made, "another owner's turn was ended")
        },
        Check("a change happens only at the revision it was planned for") { store in
            let made = try await store.add(.sample(id: "e"))
            var wanted = made
            wanted.hint = "planned"
            var byOthers = made
            byOthers.hint = "theirs"
            let theirs = try await store.updateEntry(byOthers, fields: .hint)
            try requireEqual(theirs.revisionNumber, 1)
            for change: EntryChange in [
                .update(wanted, fields: .hint, expectedRevision: 0), .delete(id: "e", expectedRevision: 0),
                .replace(id: "e", expectedRevision: 0, with: .sample(id: "new")),
            ] {
                let outcome = try await store.outcome(change)
                try require(outcome == .stale(theirs), "\(change) came to \(outcome)")
            }
            try requireEqual(try await store.entry(id: "e"), theirs)
            guard case .done(let updated) = try await store.outcome(
                .update(wanted, fields: .hint, expectedRevision: 1))
            else { throw ConformanceFailure(description: "not updated") }
            try requireEqual(updated.hint, "planned")
            try requireEqual(updated.revisionNumber, 2)
            try requireEqual(try await store.outcome(.delete(id: "e", expectedRevision: 2)), .done(updated))
            for change: EntryChange in [
                .update(wanted, fields: .hint, expectedRevision: 2), .delete(id: "e", expectedRevision: 2),
                .replace(id: "e", expectedRevision: 2, with: .sample(id: "new")),
            ] {
                try requireEqual(try await store.outcome(change), .gone)
            }
            try requireEqual(try await store.countEntries(EntryFilter()), 0)
        },
        Check("an entry takes another's place in one step or not at all") { store in
            let old = try await store.add(.sample(id: "old"))
            let entry = RegistrationEntry.sample(id: "new")
            guard case .done(let made) = try await store.outcome(
                .replace(id: "old", expectedRevision: old.revisionNumber, with: entry))
            else { throw ConformanceFailure(description: "not replaced") }
            try requireEqual(made.id, "new")
            try requireEqual(try await store.entry(id: "old"), nil)
            let other = try await store.add(.sample("/other", id: "other"))
            let results = try await store.changeEntries(
                [
                    .create(.sample("/first", id: "first")),
                    .replace(id: "new", expectedRevision: 0, with: .sample("/other", id: "newer")),
                    .create(.sample("/last", id: "last")),
                ], turn: nil)
            try require((try? results[1].get()) == nil, "replaced by what is there already")
            let ids = Set(try await store.listEntries(EntryFilter(), page: nil).items.map(\.id))
            try requireEqual(ids, ["new", other.id, "first", "last"])
        },
        Check("one failing change of many leaves nothing behind and does not concern the others") { store in
            let results = try await store.changeEntries(
                [
                    .create(.sample("/a", id: "a")), .create(.sample("/b", id: "a")),
                    .create(.sample("/a", id: "again")), .create(.sample("/c", id: "no spaces")),
                    .create(.sample("/d", id: "d")),
                ], turn: nil)
            let done = results.map { result in if case .success(.done) = result { true } else { false } }
            try requireEqual(done, [true, false, false, false, true])
            guard case .success(.similar(let similar)) = results[2] else {
                throw ConformanceFailure(description: "a second entry of the same kind came to \(results[2])")
            }
            try requireEqual(similar.id, "a")
            try requireEqual(try await store.countEntries(EntryFilter()), 2)
            let events = try await store.entryEvents(after: 0).map(\.key)
            try requireEqual(events, ["a", "d"])
        },
        Check("entries are listed by the beginning of their id, page by page, and found by what they are") { store in
            for number in 0..<5 { try await store.add(.sample("/a\(number)", id: "apply.team-a.\(number)")) }
            try await store.add(.sample("/other", id: "apply.team-ab.0"))
            try await store.add(.sample("/else", id: "else"))
            try await store.add(.sample("/upper", id: "APPLY.team-a.9"))
            var token = ""
            var found: [String] = []
            repeat {
                let page = try await store.listEntries(
                    idPrefix: "apply.team-a.", page: PageRequest(token: token, size: 2))
                found += page.items.map(\.id)
                token = page.nextToken
            } while !token.isEmpty
            try requireEqual(found, (0..<5).map { "apply.team-a.\($0)" })
            let similar = try await store.similarEntries([
                .sample("/a3"), .sample("/none"), .sample("/a3", "uid:0", "uid:1"), .sample("/else"),
            ])
            try requireEqual(similar.map { $0?.id }, ["apply.team-a.3", nil, nil, "else"])
        },
    ]
}

extension EntrySetStore {
    fileprivate func outcome(_ change: EntryChange, turn: EntrySetTurn? = nil) async throws -> EntryChangeOutcome {
        let results = try await changeEntries([change], turn: turn)
        try requireEqual(results.count, 1)
        return try results[0].get()
    }

    fileprivate func makes(_ change: EntryChange, turn: EntrySetTurn) async throws -> Bool {
        if case .done = try await outcome(change, turn: turn) { true } else { false }
    }
}
