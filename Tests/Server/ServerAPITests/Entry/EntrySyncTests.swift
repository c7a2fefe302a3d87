// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import Groundwork
import RPC
@testable import ServerAPI
import SwiftProtobuf
import Testing

@Suite struct EntrySyncTests {
    typealias Request = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest
    typealias Response = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesResponse

    func sync(_ fixture: Fixture, _ requests: [Request]) async throws -> [Response] {
        let responses = RecordedResponses()
        try await fixture.entries.syncAuthorized(
            RequestStream(raw: try ScriptedRequests(requests)), ResponseWriter(raw: responses),
            try fixture.call(
                EntryMethods.syncAuthorizedEntries.path, as: .agent, id: "spiffe://example.org/spire/agent/x/y"))
        return try responses.decoded()
    }

    func many(_ count: Int) -> [RegistrationEntry] {
        (0..<count).map { .made("/w\($0)", id: "id\(1000 + $0)") }
    }

    @Test("up to five hundred entries come whole in one message")
    func small() async throws {
        let fixture = try await Fixture()
        fixture.authorized.set(many(500))
        let responses = try await sync(fixture, [.init()])
        #expect(responses.count == 1)
        #expect(responses[0].entries.count == 500)
        #expect(!responses[0].more)
    }

    @Test("of more, revisions come first and then the entries asked for, in order of id")
    func large() async throws {
        let fixture = try await Fixture()
        fixture.authorized.set(many(1001))
        let responses = try await sync(
            fixture, [.init(), .with { $0.ids = ["id1003", "unknown", "id1001"] }, .with { $0.ids = [] }])
        #expect(responses.map(\.entryRevisions.count) == [500, 500, 1, 0, 0])
        #expect(responses.map(\.more) == [true, true, false, false, false])
        #expect(responses[3].entries.map(\.id) == ["id1001", "id1003"])
        #expect(responses[4].entries.isEmpty)
    }

    @Test("asked-for entries are paged too")
    func pagedEntries() async throws {
        let fixture = try await Fixture()
        let all = many(1200)
        fixture.authorized.set(all)
        let responses = try await sync(fixture, [.init(), .with { $0.ids = all.map(\.id) }]).dropFirst(3)
        #expect(responses.map(\.entries.count) == [500, 500, 200])
        #expect(responses.map(\.more) == [true, true, false])
    }

    @Test("the mask holds for the whole stream and must show the revision")
    func mask() async throws {
        let fixture = try await Fixture()
        fixture.authorized.set(many(1))
        let shown = try await sync(fixture, [.with { $0.outputMask.revisionNumber = true }])
        #expect(!shown[0].entries[0].hasSpiffeID)
        let refused = await status { _ = try await sync(fixture, [.with { $0.outputMask.hint = true }]) }
        #expect(refused == RPCStatus(.invalidArgument, "revision number cannot be masked"))
    }

    @Test("the first message may not name entries")
    func earlyIDs() async throws {
        let fixture = try await Fixture()
        let refused = await status { _ = try await sync(fixture, [.with { $0.ids = ["x"] }]) }
        #expect(refused == RPCStatus(.invalidArgument, "specifying IDs on initial request is not supported"))
    }

    @Test("an index that cannot answer is an internal error")
    func failure() async throws {
        let fixture = try await Fixture()
        fixture.authorized.fail(SpireError(.unavailable, "no"))
        let refused = await status { _ = try await sync(fixture, [.init()]) }
        #expect(refused == RPCStatus(.internal, "failed to fetch entries: no"))
    }
}
