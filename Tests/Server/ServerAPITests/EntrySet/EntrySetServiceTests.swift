// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import RPC
import SwiftProtobuf
import SQLDatastore
import Testing

@testable import ServerAPI

@Suite struct EntrySetServiceTests {
    typealias Change = Swiftspire_Server_Entryset_V1_Change

    private func send(
        _ changes: [Change], owner: String = "team", generation: Int64, _ fixture: Fixture, _ service: EntrySetService
    ) async throws -> [(code: Int32, id: String)] {
        let response = try await service.change(
            .with {
                $0.owner = owner
                $0.generation = generation
                $0.changes = changes
            }, try fixture.call(EntrySetMethods.changeEntries.path))
        return response.results.map { ($0.status.code, $0.entry.id) }
    }

    private func begin(_ owner: String, _ fixture: Fixture, _ service: EntrySetService) async throws -> Int64 {
        try await service.begin(
            .with { $0.owner = owner }, try fixture.call(EntrySetMethods.beginApply.path)).generation
    }

    private func creation(_ id: String, _ path: String = "/web") -> Change {
        .with { change in
            change.create = .made(path) { $0.id = id }
        }
    }

    @Test("an owner changes its own entries only, whatever the change is called")
    func ownership() async throws {
        let fixture = try await Fixture()
        let service = EntrySetService(trustDomain: fixture.trustDomain, store: fixture.store)
        let generation = try await begin("team", fixture, service)
        _ = try await fixture.store.createEntry(.made("/free", id: "free"))
        _ = try await fixture.store.createEntry(.made("/theirs", id: "apply.rivals.1"))
        let hostile: [Change] = [
            creation("free2"), creation(""), creation("apply.rivals.2"), creation("apply.team"), creation("apply.team."),
            creation("apply.teamx.1"), creation("Apply.team.1"),
            .with { $0.delete = .with { $0.id = "free" } },
            .with { $0.delete = .with { $0.id = "apply.rivals.1" } },
            .with { change in
                change.update = .with { $0.entry = .made("/free") { $0.id = "free" } }
            },
            .with { change in
                change.replace = .with {
                    $0.entry = .made("/theirs") { $0.id = "apply.team.9" }
                    $0.replacedID = "apply.rivals.1"
                }
            },
            .with { change in
                change.replace = .with {
                    $0.entry = .made("/free") { $0.id = "apply.rivals.9" }
                    $0.replacedID = "free"
                }
            },
            Change(),
        ]
        let results = try await send(hostile, generation: generation, fixture, service)
        #expect(results.map(\.code) == hostile.map { _ in Int32(StatusCode.invalidArgument.rawValue) })
        #expect(try await fixture.store.countEntries(EntryFilter()) == 2)
        let adopted = try await send(
            [
                .with { change in
                    change.replace = .with {
                        $0.entry = .made("/free") { $0.id = "apply.team.9" }
                        $0.replacedID = "free"
                    }
                }
            ], generation: generation, fixture, service)
        #expect(adopted.map(\.code) == [0])
        #expect(try await fixture.store.entry(id: "free") == nil)
    }

    @Test("of two applies of one owner only the one that began last changes anything")
    func turns() async throws {
        let fixture = try await Fixture()
        let service = EntrySetService(trustDomain: fixture.trustDomain, store: fixture.store)
        let first = try await begin("team", fixture, service)
        #expect(try await send([creation("apply.team.1", "/a")], generation: first, fixture, service).map(\.code) == [0])
        let second = try await begin("team", fixture, service)
        let refusal = await status { _ = try await send([creation("apply.team.2", "/b")], generation: first, fixture, service) }
        #expect(refusal?.code == .aborted)
        #expect(refusal?.message.contains("another apply of owner \"team\" has begun since") == true)
        #expect(try await send([creation("apply.team.3", "/c")], generation: second, fixture, service).map(\.code) == [0])
        let never = await status { _ = try await send([creation("apply.team.4", "/d")], generation: second + 1, fixture, service) }
        #expect(never?.code == .aborted)
        #expect(try await fixture.store.countEntries(EntryFilter()) == 2)
    }

    @Test("changes that were overtaken say so, with the entry as it is")
    func overtaken() async throws {
        let fixture = try await Fixture()
        let service = EntrySetService(trustDomain: fixture.trustDomain, store: fixture.store)
        let generation = try await begin("team", fixture, service)
        _ = try await send([creation("apply.team.1", "/a")], generation: generation, fixture, service)
        var byOthers = RegistrationEntry.made("/a", id: "apply.team.1")
        byOthers.hint = "x"
        _ = try await fixture.store.updateEntry(byOthers, fields: .hint)
        let results = try await send(
            [
                .with { $0.delete = .with { $0.id = "apply.team.1" } },
                .with { $0.delete = .with { $0.id = "apply.team.none" } },
                creation("apply.team.2", "/a"),
            ], generation: generation, fixture, service)
        #expect(
            results.map(\.code)
                == [StatusCode.aborted, .notFound, .alreadyExists].map { Int32($0.rawValue) })
        #expect(results.map(\.id) == ["apply.team.1", "", "apply.team.1"])
    }

    @Test("owners with other letters, too many entries and entries against the rules are refused")
    func bounds() async throws {
        let fixture = try await Fixture()
        let service = EntrySetService(trustDomain: fixture.trustDomain, store: fixture.store)
        for owner in ["", "a.b", "a_b", "a%", "ä", "a b", "A", String(repeating: "a", count: 65)] {
            let begun = await status { _ = try await begin(owner, fixture, service) }
            #expect(begun?.code == .invalidArgument, "\(owner)")
            let listed = await status {
                _ = try await service.list(
                    .with { $0.owner = owner }, try fixture.call(EntrySetMethods.listOwned.path))
            }
            #expect(listed?.code == .invalidArgument, "\(owner)")
        }
        let many = await status {
            _ = try await send(
                [Change](repeating: Change(), count: 1001), generation: 1, fixture, service)
        }
        #expect(many?.code == .invalidArgument)
        _ = try await fixture.store.createEntry(.made("/there", id: "there"))
        let checked = try await service.check(
            .with {
                $0.entries = [
                    .made("/new"), .made("/x") { $0.selectors = [] },
                    .made("/y") { $0.spiffeID.trustDomain = "other.test" },
                    .made("/there") { $0.selectors[0].value = "uid:/there" },
                ]
            }, try fixture.call(EntrySetMethods.checkEntries.path))
        #expect(checked.results.map { $0.status.code } == [0, 3, 3, 0])
        #expect(checked.results.map { $0.similar.id } == ["", "", "", "there"])
    }
}
