// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Issuance
import RPC
import SPIFFE
import SwiftProtobuf
import TestKit
import Testing
import Wire

@testable import ServerRuntime

/// Every method of the reference, called over the server's real sockets by every kind of caller.
@Suite(.serialized) struct AuthorizationOverSocketsTests {
    struct Caller: Sendable {
        let name: String
        let client: RPCClient
        let countsAs: Set<String>
        var isLocal: Bool { countsAs.contains("local") }
    }

    /// A client with a certificate for `path` that an operator minted.
    func minted(_ lab: ServerLab, _ path: String, _ admin: RPCClient) async throws -> RPCClient {
        let key = try LocalKey.generate(.ecP256)
        let csr = Data(try CSR.make(key: key, uri: SPIFFEID("spiffe://example.org\(path)"), dnsNames: []))
        let svid = try await admin.unary(SVIDMethods.mintX509SVID, .with { $0.csr = csr }).svid
        return lab.remote(
            TLSIdentity(chain: svid.certChain.map { [UInt8]($0) }, key: .local(pkcs8: key.pkcs8)))
    }

    func entry(_ path: String, _ admin: RPCClient, configure: (inout Spire_Api_Types_Entry) -> Void) async throws {
        var entry = Spire_Api_Types_Entry.with {
            $0.spiffeID.trustDomain = "example.org"
            $0.spiffeID.path = path
            $0.parentID.trustDomain = "example.org"
            $0.parentID.path = "/node"
            $0.selectors = [.with { $0.type = "unix"; $0.value = "uid:0" }]
        }
        configure(&entry)
        let wanted = entry
        let response = try await admin.unary(EntryMethods.batchCreateEntry, .with { $0.entries = [wanted] })
        #expect(response.results.first?.status.code == 0)
    }

    @Test("every method exists where the reference has it, and lets in exactly whom the policy names")
    func matrix() async throws {
        try await ServerLab.run(configure: { $0.adminIDs = (try? [SPIFFEID("spiffe://example.org/configured")]) ?? [] }) {
            lab in
            let admin = lab.admin
            try await entry("/boss", admin) { $0.admin = true }
            try await entry("/below", admin) { $0.downstream = true }
            let agent = try await lab.attest()
            let banned = try await lab.attest()
            _ = try await admin.unary(
                AgentMethods.banAgent,
                .with {
                    $0.id.trustDomain = "example.org"
                    $0.id.path = banned.path
                })
            let callers = [
                Caller(name: "anonymous", client: lab.remote(), countsAs: []),
                Caller(name: "workload", client: try await minted(lab, "/work", admin), countsAs: []),
                Caller(name: "agent", client: lab.remote(agent.identity), countsAs: ["agent"]),
                Caller(name: "banned agent", client: lab.remote(banned.identity), countsAs: []),
                Caller(name: "downstream", client: try await minted(lab, "/below", admin), countsAs: ["downstream"]),
                Caller(name: "admin by entry", client: try await minted(lab, "/boss", admin), countsAs: ["admin"]),
                Caller(
                    name: "admin by configuration", client: try await minted(lab, "/configured", admin),
                    countsAs: ["admin"]),
                Caller(name: "local", client: admin, countsAs: ["local"]),
            ]
            for row in ReferencePolicy.rows {
                for caller in callers {
                    let answer = await self.answer(row, caller.client)
                    if row.isLocalOnly, !caller.isLocal {
                        #expect(answer?.code == .unimplemented, "\(caller.name) on \(row): \(String(describing: answer))")
                        continue
                    }
                    let denial = "authorization denied for method \(row)"
                    if row.allowed.contains("any") || !row.allowed.isDisjoint(with: caller.countsAs) {
                        #expect(answer?.message != denial, "\(caller.name) on \(row)")
                        // What is not there at all is not offered; WIT and two health methods answer so by themselves.
                        #expect(answer?.message.contains("unknown") != true, "\(caller.name) on \(row)")
                    } else {
                        #expect(answer?.code == .permissionDenied, "\(caller.name) on \(row)")
                        #expect(answer?.message == denial, "\(caller.name) on \(row)")
                    }
                }
            }
            for caller in callers { await caller.client.close() }
        }
    }

    /// Calls a method with an empty request. - Returns: `nil` for success.
    private func answer(_ row: ReferencePolicy.Row, _ client: RPCClient) async -> RPCStatus? {
        let method = UnaryMethod<Google_Protobuf_Empty, Google_Protobuf_Empty>(row.service, row.method)
        return await refusal {
            _ = try await client.unary(method, .init(), options: CallOptions(timeout: .seconds(10)))
        }
    }

    @Test("after an authority was tainted, the server shows a certificate of the new one")
    func taintedServerCertificate() async throws {
        try await ServerLab.run { lab in
            let admin = lab.admin
            let first = try await admin.unary(LocalAuthorityMethods.getX509AuthorityState, .init()).active.authorityID
            let shown = lab.parts.serverSVID.chain
            let prepared = try await admin.unary(LocalAuthorityMethods.prepareX509Authority, .init()).preparedAuthority
            _ = try await admin.unary(
                LocalAuthorityMethods.activateX509Authority, .with { $0.authorityID = prepared.authorityID })
            try await lab.parts.serverSVID.rotateIfDue()
            #expect(lab.parts.serverSVID.chain == shown, "an activation alone replaces nothing")
            _ = try await admin.unary(LocalAuthorityMethods.taintX509Authority, .with { $0.authorityID = first })
            try await lab.parts.serverSVID.rotateIfDue()
            let leaf = try #require(lab.parts.serverSVID.chain.first)
            #expect(Hex.text(try CertificateSummary(leaf).authorityKeyID) == prepared.authorityID)
            _ = try await admin.unary(LocalAuthorityMethods.revokeX509Authority, .with { $0.authorityID = first })
            let bundle = try await lab.remote().unary(BundleMethods.getBundle, .init())
            #expect(bundle.x509Authorities.count == 1)
            await admin.close()
        }
    }
}
