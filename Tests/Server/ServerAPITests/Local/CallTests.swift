// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import Groundwork
import Logging
import RPC
import SPIFFE
@testable import ServerAPI
import SwiftProtobuf
import Testing
import Wire

@Suite struct CallTests {
    @Test(
        "a failure is told as message and cause, but of something not found only the message",
        arguments: [
            (APIFailure.invalid("bad", cause: "why"), "bad: why", "Invalid argument: bad"),
            (APIFailure(.notFound, "entry not found", cause: "why"), "entry not found", "Entry not found"),
            (APIFailure(.internal, "failed to sign"), "failed to sign", "Failed to sign"),
        ])
    func texts(_ failure: APIFailure, _ wire: String, _ log: String) {
        #expect(failure.wireMessage == wire)
        #expect(failure.logMessage == log)
    }

    @Test("the datastore's own statuses pass, except unknown, which is internal")
    func datastoreCodes() {
        #expect(APIFailure.datastore("x", SpireError(.failedPrecondition, "y")).status == RPCStatus(.failedPrecondition, "x: y"))
        #expect(APIFailure.datastore("x", SpireError(.unknown, "y")).status == RPCStatus(.internal, "x: y"))
    }

    @Test("a failed call leaves one line with who called what as whom, and the cause apart")
    func logLine() async throws {
        let fixture = try await Fixture()
        let call = try fixture.call(
            EntryMethods.batchCreateEntry.path, as: .admin, id: "spiffe://example.org/boss", address: "192.0.2.1:7")
        call.report(APIFailure.invalid("failed to convert entry", cause: "selector list is empty"))
        let line = try #require(fixture.logs.lines.first)
        #expect(line.level == .error)
        #expect(line.message == "Invalid argument: failed to convert entry")
        #expect(line.fields["error"] == "selector list is empty")
        #expect(line.fields["service"] == "entry.v1.Entry")
        #expect(line.fields["method"] == "BatchCreateEntry")
        #expect(line.fields["authorized_as"] == "admin")
        #expect(line.fields["caller_id"] == "spiffe://example.org/boss")
        #expect(line.fields["caller_addr"] == "192.0.2.1:7")
        #expect(line.fields["request_id"]?.utf8.count == 36)
    }

    @Test("service names in logs are short")
    func shortNames() {
        #expect(Call.shortName("spire.api.server.entry.v1.Entry") == "entry.v1.Entry")
        #expect(Call.shortName("spire.api.server.logger.v1.Logger") == "Logger")
        #expect(Call.shortName("grpc.health.v1.Health") == "Health")
    }

    @Test("with auditing on, a batch leaves a line for each item")
    func auditBatch() async throws {
        let fixture = try await Fixture(audit: true)
        let call = try fixture.call(EntryMethods.batchCreateEntry.path, peer: .unix(Peer()))
        _ = try await fixture.entries.created(
            .with { $0.entries = [.made("/a"), .made("/a"), .made("/b") { $0.selectors = [] }] }, call)
        call.auditEnd(nil)
        let lines = fixture.logs.lines.filter { $0.message == "API accessed" }
        #expect(lines.count == 3)
        #expect(lines.compactMap { $0.fields["status"] }.sorted() == ["error", "error", "success"])
        let similar = try #require(lines.first { $0.fields["status_code"] == "AlreadyExists" })
        #expect(similar.fields["status_message"] == "similar entry already exists")
        #expect(similar.fields["spiffe_id"] == "spiffe://example.org/a")
        #expect(similar.fields["selectors"] == "unix:uid:0")
        #expect(similar.fields["type"] == "audit")
        #expect(similar.fields["caller_uid"] == "3")
        #expect(similar.fields["caller_path"] == "/bin/test")
    }

    @Test("with auditing on, a unary call leaves one line with its own fields; with it off, none")
    func auditUnary() async throws {
        let fixture = try await Fixture(audit: true)
        let call = try fixture.call(AgentMethods.createJoinToken.path)
        _ = try await fixture.agents().createJoinToken(.with { $0.ttl = 60 }, call)
        call.auditEnd(nil)
        let line = try #require(fixture.logs.lines.last)
        #expect(line.fields["ttl"] == "60")
        #expect(line.fields["status"] == "success")
        let quiet = try await Fixture()
        let other = try quiet.call(AgentMethods.createJoinToken.path)
        _ = try await quiet.agents().createJoinToken(.with { $0.ttl = 60 }, other)
        other.auditEnd(nil)
        #expect(quiet.logs.lines.isEmpty)
    }
}

private struct Peer: UnixPeer {
    let pid: Int32 = 1
    let uid: UInt32 = 3
    let gid: UInt32 = 4
    let isAlive = true
}
