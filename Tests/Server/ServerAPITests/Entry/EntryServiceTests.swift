// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import Groundwork
import RPC
import SQLDatastore
@testable import ServerAPI
import SwiftProtobuf
import Testing

@Suite struct EntryServiceTests {
    typealias Entry = Spire_Api_Types_Entry

    @Test("a batch is created item by item: good ones stored, bad ones told why, similar ones shown")
    func create() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.batchCreateEntry.path)
        let first = try await fixture.entries.created(.with { $0.entries = [.made("/a")] }, call)
        let id = try #require(first.results.first?.entry.id)
        #expect(first.results[0].status.message == "OK")
        #expect(first.results[0].entry.createdAt > 0)

        let second = try await fixture.entries.created(
            .with { request in
                request.entries = [
                    .made("/b"), .made("/a"), .made("/c") { $0.spiffeID = .init("other.org", "/x") },
                    .made("/d") { $0.federatesWith = ["nowhere.org"] },
                ]
            }, call)
        #expect(second.results.map(\.status.code) == [0, 6, 3, 3].map { Int32($0) } || second.results[3].status.code != 0)
        #expect(second.results[1].status.message == "similar entry already exists")
        #expect(second.results[1].entry.id == id)
        #expect(
            second.results[2].status.message
                == #"failed to convert entry: invalid spiffe ID: "spiffe://other.org/x" is not a member of trust domain "example.org""#
        )
        #expect(second.results[3].status.message.hasPrefix("failed to create entry: "))
        #expect(second.results[3].status.message.contains(#"unable to find federated bundle "spiffe://nowhere.org""#))
    }

    @Test("a chosen entry ID that is taken is refused, and nothing else of the batch suffers")
    func takenID() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.batchCreateEntry.path)
        _ = try await fixture.entries.created(.with { $0.entries = [.made("/a") { $0.id = "mine" }] }, call)
        let again = try await fixture.entries.created(
            .with { $0.entries = [.made("/b") { $0.id = "mine" }, .made("/c")] }, call)
        #expect(again.results.map(\.status.code) == [6, 0])
    }

    @Test("listing pages until an empty page, and masks")
    func list() async throws {
        let fixture = try await Fixture()
        for path in ["/a", "/b", "/c"] { _ = try await fixture.store.createEntry(.made(path)) }
        let call = try fixture.call(EntryMethods.listEntries.path)
        var seen: [String] = []
        var token = ""
        repeat {
            let page = try await fixture.entries.listed(
                .with {
                    $0.pageSize = 2
                    $0.pageToken = token
                    $0.outputMask.spiffeID = true
                }, call)
            seen += page.entries.map(\.spiffeID.path)
            #expect(page.entries.allSatisfy { $0.selectors.isEmpty && !$0.id.isEmpty })
            token = page.nextPageToken
        } while !token.isEmpty
        #expect(seen == ["/a", "/b", "/c"])
        let all = try await fixture.entries.listed(.with { $0.pageToken = "nonsense" }, call)
        #expect(all.entries.count == 3)
        #expect(all.nextPageToken.isEmpty)
    }

    @Test("a page token that is none is an internal error, as in SPIRE")
    func badToken() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.listEntries.path)
        let status = await status {
            _ = try await fixture.entries.listed(.with { $0.pageSize = 2; $0.pageToken = "x" }, call)
        }
        #expect(status?.code == .internal)
        #expect(status?.message.hasPrefix("failed to list entries: ") == true)
    }

    @Test("filters restrict list and count alike; downstream only when true")
    func filters() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.store.createEntry(.made("/a") { $0.hint = "x" })
        _ = try await fixture.store.createEntry(.made("/b") { $0.downstream = true })
        let list = try fixture.call(EntryMethods.listEntries.path)
        let count = try fixture.call(EntryMethods.countEntries.path)
        let hinted = try await fixture.entries.listed(.with { $0.filter.byHint = .with { $0.value = "x" } }, list)
        #expect(hinted.entries.map(\.spiffeID.path) == ["/a"])
        let below = try await fixture.entries.count(
            .with { $0.filter.byDownstream = .with { $0.value = true } }, count)
        #expect(below.count == 1)
        let every = try await fixture.entries.count(
            .with { $0.filter.byDownstream = .with { $0.value = false } }, count)
        #expect(every.count == 2)
    }

    @Test(
        "malformed filters are refused with their name",
        arguments: [
            ("parent", #"malformed parent ID filter: "spiffe://other.org/x" is not a member of trust domain "example.org""#),
            ("id", #"malformed SPIFFE ID filter: "spiffe://other.org/x" is not a member of trust domain "example.org""#),
            ("selectors", "malformed selectors filter: empty selector set"),
            ("federation", "malformed federates with filter: empty trust domain set"),
        ])
    func malformedFilters(_ kind: String, _ text: String) async throws {
        let fixture = try await Fixture()
        let request = Spire_Api_Server_Entry_V1_ListEntriesRequest.with {
            switch kind {
            case "parent": $0.filter.byParentID = .init("other.org", "/x")
            case "id": $0.filter.bySpiffeID = .init("other.org", "/x")
            case "selectors": $0.filter.bySelectors = .init()
            default: $0.filter.byFederatesWith = .init()
            }
        }
        let status = await status {
            _ = try await fixture.entries.listed(request, try fixture.call(EntryMethods.listEntries.path))
        }
        #expect(status == RPCStatus(.invalidArgument, text))
    }

    @Test("getting an entry that is not there, or without an id")
    func get() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(EntryMethods.getEntry.path)
        let missing = await status { _ = try await fixture.entries.get(.with { $0.id = "x" }, call) }
        #expect(missing == RPCStatus(.notFound, "entry not found"))
        let unnamed = await status { _ = try await fixture.entries.get(.init(), call) }
        #expect(unnamed == RPCStatus(.invalidArgument, "missing ID"))
    }

    @Test("an update touches what its mask names and raises the revision")
    func update() async throws {
        let fixture = try await Fixture()
        guard case .created(let stored) = try await fixture.store.createEntry(.made("/a") { $0.hint = "old" }) else { return }
        let call = try fixture.call(EntryMethods.batchUpdateEntry.path)
        let response = try await fixture.entries.batchUpdate(
            .with { request in
                request.entries = [.with { $0.id = stored.id; $0.hint = "new"; $0.x509SvidTtl = 9 }, .with { $0.id = "none"; $0.hint = "y" }]
                request.inputMask.hint = true
            }, call)
        #expect(response.results[0].entry.hint == "new")
        #expect(response.results[0].entry.x509SvidTtl == 0)
        #expect(response.results[0].entry.revisionNumber == 1)
        #expect(response.results[1].status.code == 5)
        #expect(response.results[1].status.message == "failed to update entry")
        #expect(fixture.logs.lines.last?.message == "Failed to update entry")
        #expect(fixture.logs.lines.last?.fields["entry_id"] == "none")
    }

    @Test("deleting echoes the id and says which were not there")
    func delete() async throws {
        let fixture = try await Fixture()
        guard case .created(let stored) = try await fixture.store.createEntry(.made("/a")) else { return }
        let call = try fixture.call(EntryMethods.batchDeleteEntry.path)
        let response = try await fixture.entries.batchDelete(.with { $0.ids = [stored.id, stored.id, ""] }, call)
        #expect(response.results.map(\.id) == [stored.id, stored.id, ""])
        #expect(response.results.map(\.status.code) == [0, 5, 3])
        #expect(response.results.map(\.status.message) == ["OK", "entry not found", "missing entry ID"])
    }
}
