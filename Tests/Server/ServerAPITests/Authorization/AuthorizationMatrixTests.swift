// SPDX-License-Identifier: Apache-2.0

import APIProtos
import Datastore
import FoundationEssentials
import RPC
import SPIFFE
import SQLDatastore
import SwiftProtobuf
import TestKit
import Testing
import Wire

@testable import ServerAPI

/// Every method as every kind of caller, against the reference's policy.
@Suite struct AuthorizationMatrixTests {
    /// A kind of caller: what it counts as where the policy lets it in, and why it is turned away where agents are asked for.
    struct Caller: Sendable {
        let name: String
        let peer: PeerIdentity
        let countsAs: Set<String>
        let reason: Spire_Api_Types_PermissionDeniedDetails.Reason?
    }

    static func prepare(_ fixture: Fixture) async throws -> [Caller] {
        func leaf(_ id: String, serial: UInt64 = 7, validFor: Double = 3600) throws -> PeerIdentity {
            .mutualTLS(
                leaf: try TestCertificate.leaf(
                    serial: serial, validUntil: fixture.time.now.addingTimeInterval(validFor)),
                id: try SPIFFEID(id), address: "192.0.2.1:999")
        }
        func node(_ name: String, serial: String) async throws -> String {
            let id = "spiffe://example.org/spire/agent/test/\(name)"
            try await fixture.store.createNode(
                AttestedNode(spiffeID: id, attestationType: "test", serialNumber: serial, expiresAt: 1))
            return id
        }
        _ = try await fixture.store.createEntry(.made("/boss") { $0.admin = true })
        _ = try await fixture.store.createEntry(.made("/below") { $0.downstream = true })
        _ = try await fixture.store.createEntry(.made("/work"))
        let agent = try await node("good", serial: "7")
        let banned = try await node("banned", serial: "")
        let replaced = try await node("replaced", serial: "8")
        return [
            Caller(
                name: "anonymous over TLS", peer: .tlsAnonymous(address: "192.0.2.1:999"), countsAs: [], reason: nil),
            Caller(
                name: "workload", peer: try leaf("spiffe://example.org/work"), countsAs: [], reason: .agentNotAttested),
            Caller(name: "agent", peer: try leaf(agent), countsAs: ["agent"], reason: nil),
            Caller(name: "banned agent", peer: try leaf(banned), countsAs: [], reason: .agentBanned),
            Caller(
                name: "expired agent", peer: try leaf(agent, validFor: -1), countsAs: [], reason: .agentExpired),
            Caller(
                name: "evicted agent", peer: try leaf("spiffe://example.org/spire/agent/test/gone"), countsAs: [],
                reason: .agentNotAttested),
            Caller(
                name: "agent with a replaced certificate", peer: try leaf(replaced), countsAs: [],
                reason: .agentNotActive),
            Caller(
                name: "downstream server", peer: try leaf("spiffe://example.org/below"), countsAs: ["downstream"],
                reason: .agentNotAttested),
            Caller(
                name: "admin by entry", peer: try leaf("spiffe://example.org/boss"), countsAs: ["admin"],
                reason: .agentNotAttested),
            Caller(
                name: "admin by configuration", peer: try leaf("spiffe://foreign.org/root"), countsAs: ["admin"],
                reason: .agentNotAttested),
            Caller(name: "local", peer: .inProcess, countsAs: ["local"], reason: nil),
        ]
    }

    @Test("every caller is let in or turned away as the reference says, with its text and reason")
    func matrix() async throws {
        var fixture = try await Fixture()
        fixture.environment.limits = RateLimits(enabled: [], time: fixture.time)
        let callers = try await Self.prepare(fixture)
        let authorizer = Authorizer(
            adminIDs: [try SPIFFEID("spiffe://foreign.org/root")], entries: fixture.store,
            agents: AgentCheck(nodes: fixture.store, time: fixture.time), environment: fixture.environment)
        #expect(ReferencePolicy.rows.count == 65)
        for row in ReferencePolicy.rows {
            for caller in callers {
                let context = RPCContext(method: MethodPath(service: row.service, name: row.method), peer: caller.peer)
                let refused = await status { _ = try await authorizer.admit(context) }
                let isAllowed = row.allowed.contains("any") || !row.allowed.isDisjoint(with: caller.countsAs)
                guard !isAllowed else {
                    #expect(refused == nil, "\(caller.name) on \(row)")
                    continue
                }
                #expect(refused?.code == .permissionDenied, "\(caller.name) on \(row)")
                #expect(refused?.message == "authorization denied for method \(row)", "\(caller.name)")
                let reason = try refused?.details.first.map {
                    try Spire_Api_Types_PermissionDeniedDetails(serializedBytes: $0.value).reason
                }
                #expect(reason == (row.allowed.contains("agent") ? caller.reason : nil), "\(caller.name) on \(row)")
            }
        }
    }

    @Test("a method the reference does not name is nobody's")
    func unknown() async throws {
        let fixture = try await Fixture()
        for caller in try await Self.prepare(fixture) {
            let context = RPCContext(method: MethodPath(service: "spire.api.server.entry.v1.Entry", name: "Steal"), peer: caller.peer)
            let refused = await status { _ = try await fixture.authorizer.admit(context) }
            #expect(refused?.code == .permissionDenied, "\(caller.name)")
        }
    }
}
