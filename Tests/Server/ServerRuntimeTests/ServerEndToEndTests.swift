// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Issuance
import RPC
import SPIFFE
import SwiftProtobuf
import Testing
import Wire
import X509

@testable import ServerRuntime

@Suite(.serialized) struct ServerEndToEndTests {
    func reason(_ status: RPCStatus?) -> Spire_Api_Types_PermissionDeniedDetails.Reason? {
        status?.details.first.flatMap {
            try? Spire_Api_Types_PermissionDeniedDetails(serializedBytes: $0.value).reason
        }
    }

    @Test("an operator on the admin socket sees a healthy server and mints an identity its bundle vouches for")
    func mint() async throws {
        try await ServerLab.run { lab in
            let admin = lab.admin
            let health = try await admin.unary(HealthMethods.check, .init())
            #expect(health.status == .serving)
            let bundle = try await admin.unary(BundleMethods.getBundle, .init())
            #expect(bundle.jwtAuthorities.count == 1)
            let key = try LocalKey.generate(.ecP256)
            let csr = try CSR.make(
                key: key, uri: SPIFFEID("spiffe://example.org/minted"), dnsNames: ["a.example.org"])
            let minted = try await admin.unary(SVIDMethods.mintX509SVID, .with { $0.csr = Data(csr); $0.ttl = 60 })
            let trusted = X509Bundle(
                lab.trustDomain,
                authorities: try bundle.x509Authorities.map { try Certificate(spiffeDER: $0.asn1) })
            let verified = try X509SVID.verify(
                der: minted.svid.certChain.map { [UInt8]($0) }, bundles: trusted, at: Date())
            #expect(verified.id.description == "spiffe://example.org/minted")
            let token = try await admin.unary(
                SVIDMethods.mintJWTSVID,
                .with {
                    $0.id.trustDomain = "example.org"
                    $0.id.path = "/minted"
                    $0.audience = ["a"]
                })
            #expect(token.svid.token.split(separator: ".").count == 3)
            let info = try await admin.unary(DebugMethods.getInfo, .init())
            #expect(info.svidChain.map(\.id.path) == ["/spire/server", ""])
            await admin.close()
        }
    }

    @Test("an agent attests with a token, syncs its entries, and has a batch signed")
    func agent() async throws {
        try await ServerLab.run { lab in
            let agent = try await lab.attest()
            let ids = [
                try await lab.entry("/a", parent: agent.path), try await lab.entry("/b", parent: agent.path),
            ]
            let client = lab.remote(agent.identity)
            // An entry reaches the index a moment after it was created: asked until it has.
            var seen: Set<String> = []
            for _ in 0..<1_000 where seen != Set(ids) {
                seen = try await client.bidirectional(EntryMethods.syncAuthorizedEntries) { requests, responses in
                    try await requests.send(.init())
                    let first = try await responses.next()
                    try await requests.finish()
                    return Set((first?.entries ?? []).map(\.id))
                }
            }
            #expect(seen == Set(ids))
            let csr = Data(try CSR.make(key: LocalKey.generate(.ecP256), uri: nil, dnsNames: []))
            let batch = try await client.unary(
                SVIDMethods.batchNewX509SVID,
                .with { $0.params = (ids + ["x"]).map { id in .with { $0.entryID = id; $0.csr = csr } } })
            #expect(batch.results.map(\.status.code) == [0, 0, 5])
            #expect(batch.results.prefix(2).map(\.svid.id.path) == ["/a", "/b"])
            _ = try await client.unary(AgentMethods.postStatus, .with { $0.agentVersion = "1.2" })
            let denied = await refusal { _ = try await client.unary(EntryMethods.listEntries, .init()) }
            #expect(denied?.code == .permissionDenied)
            #expect(
                denied?.message == "authorization denied for method /spire.api.server.entry.v1.Entry/ListEntries")
            await client.close()
        }
    }

    @Test("a renewed certificate works, and then the former one does not")
    func renewal() async throws {
        try await ServerLab.run { lab in
            let agent = try await lab.attest()
            let client = lab.remote(agent.identity)
            let key = try LocalKey.generate(.ecP256)
            let csr = Data(try CSR.make(key: key, uri: nil, dnsNames: []))
            let renewed = try await client.unary(AgentMethods.renewAgent, .with { $0.params.csr = csr })
            _ = try await client.unary(EntryMethods.getAuthorizedEntries, .init())
            let next = lab.remote(
                TLSIdentity(
                    chain: renewed.svid.certChain.map { [UInt8]($0) }, key: .local(pkcs8: key.pkcs8)))
            _ = try await next.unary(EntryMethods.getAuthorizedEntries, .init())
            let old = await refusal { _ = try await client.unary(EntryMethods.getAuthorizedEntries, .init()) }
            #expect(reason(old) == .agentNotActive)
            await client.close()
            await next.close()
        }
    }

    @Test("a banned agent is told so, an evicted one that it is not attested; neither gets anything")
    func bannedAndEvicted() async throws {
        try await ServerLab.run { lab in
            let agent = try await lab.attest()
            let client = lab.remote(agent.identity)
            let admin = lab.admin
            _ = try await client.unary(EntryMethods.getAuthorizedEntries, .init())
            _ = try await admin.unary(
                AgentMethods.banAgent,
                .with {
                    $0.id.trustDomain = "example.org"
                    $0.id.path = agent.path
                })
            let banned = await refusal { _ = try await client.unary(EntryMethods.getAuthorizedEntries, .init()) }
            #expect(banned?.code == .permissionDenied)
            #expect(reason(banned) == .agentBanned)
            _ = try await admin.unary(
                AgentMethods.deleteAgent,
                .with {
                    $0.id.trustDomain = "example.org"
                    $0.id.path = agent.path
                })
            let evicted = await refusal { _ = try await client.unary(EntryMethods.getAuthorizedEntries, .init()) }
            #expect(reason(evicted) == .agentNotAttested)
            await client.close()
            await admin.close()
        }
    }

    @Test("a token works once; an unknown one never")
    func tokens() async throws {
        try await ServerLab.run { lab in
            let admin = lab.admin
            let token = try await admin.unary(AgentMethods.createJoinToken, .with { $0.ttl = 60 }).value
            _ = try await lab.attest(token: token)
            for used in [token, "never-was"] {
                let refused = await refusal { _ = try await lab.attest(token: used) }
                #expect(
                    refused
                        == RPCStatus(
                            .invalidArgument,
                            "failed to attest: join token does not exist or has already been used"))
            }
            await admin.close()
        }
    }

    @Test("without a certificate only the bundle and attestation are open, and local services are not offered")
    func anonymous() async throws {
        try await ServerLab.run { lab in
            let client = lab.remote()
            _ = try await client.unary(BundleMethods.getBundle, .init())
            let denied = await refusal { _ = try await client.unary(EntryMethods.getAuthorizedEntries, .init()) }
            #expect(denied?.code == .permissionDenied)
            #expect(denied?.details.isEmpty == true)
            let absent = await refusal { _ = try await client.unary(HealthMethods.check, .init()) }
            #expect(absent?.code == .unimplemented)
            await client.close()
        }
    }

    @Test("an ID with an admin entry administers over TLS")
    func remoteAdmin() async throws {
        try await ServerLab.run { lab in
            _ = try await lab.entry("/boss", parent: "/node", admin: true)
            let key = try LocalKey.generate(.ecP256)
            let csr = try CSR.make(key: key, uri: SPIFFEID("spiffe://example.org/boss"), dnsNames: [])
            let admin = lab.admin
            let minted = try await admin.unary(SVIDMethods.mintX509SVID, .with { $0.csr = Data(csr) })
            let client = lab.remote(
                TLSIdentity(chain: minted.svid.certChain.map { [UInt8]($0) }, key: .local(pkcs8: key.pkcs8)))
            let count = try await client.unary(EntryMethods.countEntries, .init())
            #expect(count.count == 1)
            await client.close()
            await admin.close()
        }
    }

    @Test("a client of an authority the server does not know is turned away at the handshake")
    func stranger() async throws {
        try await ServerLab.run { lab in
            let key = try LocalKey.generate(.ecP256)
            let other = try Stranger.certificate(key: key, id: "spiffe://example.org/spire/agent/x/y")
            let client = lab.remote(TLSIdentity(chain: [other], key: .local(pkcs8: key.pkcs8)))
            let refused = await refusal {
                _ = try await client.unary(BundleMethods.getBundle, .init(), options: CallOptions(timeout: .seconds(5)))
            }
            #expect(refused?.code == .unavailable)
            await client.close()
        }
    }

    @Test("a restarted server goes on with its authority, its entries and its agents")
    func restart() async throws {
        let folder = try TemporaryFolder(prefix: "lab", parent: "/tmp")
        defer { folder.delete() }
        let kept = Kept()
        try await ServerLab.run(folder: folder) { lab in
            let agent = try await lab.attest()
            _ = try await lab.entry("/a", parent: agent.path)
            let admin = lab.admin
            kept.set(agent, try await admin.unary(BundleMethods.getBundle, .init()))
            await admin.close()
        }
        let (agent, bundle) = try #require(kept.value)
        try await ServerLab.run(folder: folder) { lab in
            let client = lab.remote(agent.identity)
            let entries = try await client.unary(EntryMethods.getAuthorizedEntries, .init())
            #expect(entries.entries.map(\.spiffeID.path) == ["/a"])
            let now = try await client.unary(BundleMethods.getBundle, .init())
            #expect(now.x509Authorities == bundle.x509Authorities)
            #expect(now.jwtAuthorities == bundle.jwtAuthorities)
            await client.close()
        }
    }

    @Test("a server does not start on another trust domain's entries")
    func foreignDatastore() async throws {
        let folder = try TemporaryFolder(prefix: "lab", parent: "/tmp")
        defer { folder.delete() }
        try await ServerLab.run(folder: folder) { lab in _ = try await lab.entry("/a", parent: "/node") }
        await #expect(throws: SpireError(.foreignDatastore, "")) {
            try await ServerLab.run(folder: folder, configure: { $0.trustDomain = Stranger.trustDomain }) { _ in }
        }
    }
}
