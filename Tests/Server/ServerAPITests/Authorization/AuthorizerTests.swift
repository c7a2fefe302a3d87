// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import Groundwork
import Logging
import NIOCore
import RPC
import SPIFFE
import SQLDatastore
@testable import ServerAPI
import SwiftProtobuf
import TestKit
import Testing
import Wire

@Suite struct AuthorizerTests {
    static let agentID = "spiffe://example.org/spire/agent/join_token/one"

    func context(_ method: MethodPath, _ peer: PeerIdentity) -> RPCContext { RPCContext(method: method, peer: peer) }

    func agent(_ fixture: Fixture, serial: UInt64, for validity: Double = 3600, id: String = Self.agentID) throws -> PeerIdentity {
        .mutualTLS(
            leaf: try TestCertificate.leaf(serial: serial, validUntil: fixture.time.now.addingTimeInterval(validity)),
            id: try SPIFFEID(id), address: "192.0.2.1:999")
    }

    func stored(_ fixture: Fixture, serial: String, new: String = "") async throws {
        var node = AttestedNode(
            spiffeID: Self.agentID, attestationType: "join_token", serialNumber: serial, expiresAt: 1)
        try await fixture.store.createNode(node)
        guard !new.isEmpty else { return }
        node.newSerialNumber = new
        node.newExpiresAt = 777
        try await fixture.store.updateNode(node, fields: [.newSerialNumber, .newExpiresAt])
    }

    func reason(_ status: RPCStatus?) throws -> Spire_Api_Types_PermissionDeniedDetails.Reason? {
        guard let detail = status?.details.first else { return nil }
        #expect(detail.typeURL == "type.googleapis.com/spire.api.types.PermissionDeniedDetails")
        return try Spire_Api_Types_PermissionDeniedDetails(serializedBytes: detail.value).reason
    }

    @Test("anyone may fetch the bundle, without waiting")
    func anyone() async throws {
        let fixture = try await Fixture()
        let context = context(BundleMethods.getBundle.path, .tlsAnonymous(address: "192.0.2.1:1"))
        let call = try #require(try fixture.authorizer.admitNow(context)?.caller as? Call)
        #expect(call.role == .nobody)
        #expect(call.evidence == .none)
    }

    @Test("a local caller is an operator")
    func local() async throws {
        let fixture = try await Fixture()
        let context = context(EntryMethods.listEntries.path, .inProcess)
        let call = try #require(try fixture.authorizer.admitNow(context)?.caller as? Call)
        #expect(call.role == .local)
        #expect(call.evidence == .transport)
    }

    @Test("a local caller is not an agent, and is told only that it may not")
    func localIsNoAgent() async throws {
        let fixture = try await Fixture()
        let status = await status {
            _ = try await fixture.authorizer.admit(context(EntryMethods.syncAuthorizedEntries.path, .inProcess))
        }
        #expect(status?.code == .permissionDenied)
        #expect(
            status?.message
                == "authorization denied for method /spire.api.server.entry.v1.Entry/SyncAuthorizedEntries")
        #expect(status?.details.isEmpty == true)
    }

    @Test("an ID of admin_ids is an administrator")
    func adminByConfiguration() async throws {
        let fixture = try await Fixture()
        let authorizer = Authorizer(
            adminIDs: [try SPIFFEID("spiffe://other.org/root")], entries: fixture.store,
            agents: AgentCheck(nodes: fixture.store, time: fixture.time), environment: fixture.environment)
        let peer = try agent(fixture, serial: 1, id: "spiffe://other.org/root")
        let call = try #require(
            try await authorizer.admit(context(EntryMethods.listEntries.path, peer)).caller as? Call)
        #expect(call.role == .admin)
        #expect(call.evidence == .config)
    }

    @Test("an ID with an admin entry is an administrator, one with a downstream entry a downstream server")
    func byEntries() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.store.createEntry(.made("/boss") { $0.admin = true })
        _ = try await fixture.store.createEntry(.made("/below") { $0.downstream = true })
        let boss = try agent(fixture, serial: 1, id: "spiffe://example.org/boss")
        let below = try agent(fixture, serial: 1, id: "spiffe://example.org/below")
        let authorizer = fixture.authorizer

        let admin = try await authorizer.admit(context(EntryMethods.listEntries.path, boss)).caller as? Call
        #expect(admin?.role == .admin)
        #expect(admin?.evidence == .entries)
        let server = try await authorizer.admit(context(SVIDMethods.newDownstreamX509CA.path, below)).caller as? Call
        #expect(server?.role == .downstream)
        #expect(server?.downstreamEntries.count == 1)
        let refused = await status { _ = try await authorizer.admit(context(EntryMethods.listEntries.path, below)) }
        #expect(refused?.code == .permissionDenied)
    }

    @Test("an agent with its current certificate is let in")
    func agent() async throws {
        let fixture = try await Fixture()
        try await stored(fixture, serial: "7")
        let peer = try agent(fixture, serial: 7)
        let call = try await fixture.authorizer.admit(context(EntryMethods.getAuthorizedEntries.path, peer)).caller as? Call
        #expect(call?.role == .agent)
        #expect(call?.evidence == .datastore)
        #expect(call?.callerID?.description == Self.agentID)
    }

    @Test("the first use of a renewed certificate makes it the current one")
    func promotion() async throws {
        let fixture = try await Fixture()
        try await stored(fixture, serial: "7", new: "8")
        _ = try await fixture.authorizer.admit(
            context(EntryMethods.getAuthorizedEntries.path, try agent(fixture, serial: 8)))
        let node = try #require(try await fixture.store.node(id: Self.agentID))
        #expect(node.serialNumber == "8")
        #expect(node.expiresAt == 777)
        #expect(node.newSerialNumber.isEmpty)
        let old = await status {
            _ = try await fixture.authorizer.admit(
                context(EntryMethods.getAuthorizedEntries.path, try agent(fixture, serial: 7)))
        }
        #expect(try reason(old) == .agentNotActive)
    }

    @Test("a refused agent is told why in the status detail")
    func reasons() async throws {
        let fixture = try await Fixture()
        let method = EntryMethods.syncAuthorizedEntries.path
        let unknown = await status { _ = try await fixture.authorizer.admit(context(method, try agent(fixture, serial: 7))) }
        #expect(try reason(unknown) == .agentNotAttested)
        try await stored(fixture, serial: "7")
        let other = await status { _ = try await fixture.authorizer.admit(context(method, try agent(fixture, serial: 9))) }
        #expect(try reason(other) == .agentNotActive)
        let late = await status {
            _ = try await fixture.authorizer.admit(context(method, try agent(fixture, serial: 7, for: -1)))
        }
        #expect(try reason(late) == .agentExpired)
        try await fixture.store.updateNode(
            AttestedNode(spiffeID: Self.agentID, attestationType: "", serialNumber: "", expiresAt: 0),
            fields: .serialNumber)
        let banned = await status { _ = try await fixture.authorizer.admit(context(method, try agent(fixture, serial: 7))) }
        #expect(try reason(banned) == .agentBanned)
        #expect(banned?.code == .permissionDenied)
        let lines = fixture.logs.lines.filter { $0.level == .error }.map(\.message)
        #expect(lines.suffix(2) == ["Agent is banned", "Failed to authenticate caller"])
    }

    @Test("a node read lately vouches for its agent as long as staleness allows")
    func staleness() async throws {
        let fixture = try await Fixture()
        try await stored(fixture, serial: "7")
        let check = AgentCheck(nodes: fixture.store, time: fixture.time, staleness: .seconds(10))
        let leaf = try TestCertificate.leaf(serial: 7, validUntil: fixture.time.now.addingTimeInterval(3600))
        let id = try SPIFFEID(Self.agentID)
        try await check.check(id: id, leaf: leaf)
        try await fixture.store.deleteNode(id: Self.agentID)
        try await check.check(id: id, leaf: leaf)
        fixture.time.advance(by: .seconds(11))
        await #expect(throws: AgentRefusal.notAttested) { try await check.check(id: id, leaf: leaf) }
    }

    @Test("after a restore an agent goes on with what it got since the backup, and with nothing else")
    func forgottenCertificates() async throws {
        let fixture = try await Fixture()
        let taken = Int64(fixture.time.now.timeIntervalSince1970)
        let check = AgentCheck(
            nodes: fixture.store, time: fixture.time,
            restoration: Restoration(takenAt: taken, restoredAt: taken + 1000))
        try await fixture.store.createNode(
            AttestedNode(
                spiffeID: Self.agentID, attestationType: "join_token", serialNumber: "7", expiresAt: taken + 3000))
        let id = try SPIFFEID(Self.agentID)
        // Of an hour each, dated back ten seconds.
        func present(_ serial: UInt64, issued: Int64) async throws {
            let end = fixture.time.now.addingTimeInterval(Double(issued - 10 + 3600))
            try await check.check(id: id, leaf: try TestCertificate.leaf(serial: serial, validUntil: end))
        }
        for (serial, issued) in [(1, -1), (2, 1001), (3, -600)] as [(UInt64, Int64)] {
            await #expect(throws: AgentRefusal.notActive) { try await present(serial, issued: issued) }
        }
        try await present(8, issued: 500)
        #expect(try await fixture.store.node(id: Self.agentID)?.serialNumber == "8")
        #expect(try await fixture.store.node(id: Self.agentID)?.expiresAt == taken + 500 - 10 + 3600)
        try await present(8, issued: 500)
        // It has moved on: what it had before is over.
        await #expect(throws: AgentRefusal.notActive) { try await present(9, issued: 400) }
        await #expect(throws: AgentRefusal.notActive) { try await present(7, issued: -600) }
        try await fixture.store.updateNode(
            AttestedNode(spiffeID: Self.agentID, attestationType: "", serialNumber: "", expiresAt: 0),
            fields: .serialNumber)
        await #expect(throws: AgentRefusal.banned) { try await present(10, issued: 900) }
    }

    @Test("attestation is limited to one a second and address; local callers are not limited")
    func attestationRate() async throws {
        let fixture = try await Fixture()
        let authorizer = fixture.authorizer
        let method = AgentMethods.attestAgent.path
        let anonymous = RPCContext(
            method: method, deadline: .now() + .milliseconds(200), peer: PeerIdentity.tlsAnonymous(address: "192.0.2.9:1"))
        #expect(try authorizer.admitNow(anonymous) == nil)
        _ = try await authorizer.admit(anonymous)
        let refused = await status { _ = try await authorizer.admit(anonymous) }
        #expect(refused?.code == .resourceExhausted)
        #expect(refused?.message.hasPrefix("rejecting request due to attest agent rate limiting: ") == true)
        _ = try await authorizer.admit(
            RPCContext(method: method, deadline: .now() + .milliseconds(200), peer: PeerIdentity.tlsAnonymous(address: "192.0.2.10:1")))
        for _ in 0..<3 { #expect(try authorizer.admitNow(context(method, .inProcess)) != nil) }
    }
}
