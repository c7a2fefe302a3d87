// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import RPC
import SwiftProtobuf

/// What a `ScriptedServer` says.
struct ScriptedAnswers: Sendable {
    let mood: ScriptedServer.Mood
    /// What is put behind every text that others chose.
    let spoiling: String

    private func said(_ text: String) -> String { text + spoiling }

    private var refusal: RPCStatus { RPCStatus(.permissionDenied, said(ScriptedServer.refusal.message)) }

    /// One answer a mood; refusing is a refusal unless something else is given.
    private func pick<Answer>(_ willing: Answer, _ bare: Answer, refusing: Answer? = nil) throws -> Answer {
        switch mood {
        case .willing: return willing
        case .bare: return bare
        case .refusing:
            guard let refusing else { throw refusal }
            return refusing
        }
    }

    private func id(_ path: String) -> Spire_Api_Types_SPIFFEID {
        .with {
            $0.trustDomain = "example.org"
            $0.path = said(path)
        }
    }

    private static let ok = Spire_Api_Types_Status.with { $0.message = "OK" }
    private var taken: Spire_Api_Types_Status {
        .with {
            $0.code = 6
            $0.message = said("similar entry already exists")
        }
    }
    private var missing: Spire_Api_Types_Status {
        .with {
            $0.code = 5
            $0.message = said("entry not found")
        }
    }

    private var agent: Spire_Api_Types_Agent {
        .with {
            $0.id = id("/spire/agent/x509pop/one")
            $0.attestationType = said("x509pop")
            $0.x509SvidSerialNumber = said("204091578069152419722778565478118768394")
            $0.x509SvidExpiresAt = 1_795_226_838
            $0.selectors = [
                .with { $0.type = said("x509pop"); $0.value = said("subject:cn:one") },
                .with { $0.type = said("x509pop"); $0.value = said("ca:fingerprint:ab") },
            ]
            $0.canReattest = true
            $0.agentVersion = said("1.16.0")
        }
    }

    private var banned: Spire_Api_Types_Agent {
        .with {
            $0.id = id("/spire/agent/join_token/two")
            $0.attestationType = said("join_token")
            $0.x509SvidExpiresAt = 1_795_226_838
            $0.banned = true
        }
    }

    func agents(_ table: inout ServiceTable) {
        let (agent, banned) = (agent, banned)
        table.unary(AgentMethods.listAgents) { _, _ in
            try pick(.with { $0.agents = [agent, banned] }, .init())
        }
        table.unary(AgentMethods.countAgents) { _, _ in try pick(.with { $0.count = 2 }, .with { $0.count = 1 }) }
        table.unary(AgentMethods.getAgent) { _, _ in try pick(agent, banned) }
        table.unary(AgentMethods.banAgent) { _, _ in try pick(.init(), .init()) }
        table.unary(AgentMethods.deleteAgent) { _, _ in try pick(.init(), .init()) }
        table.unary(AgentMethods.createJoinToken) { _, _ in
            try pick(
                .with {
                    $0.value = said("ae5dbb62-1c2c-4fa1-b67e-22198ce85666")
                    $0.expiresAt = 1_795_223_838
                }, .with { $0.value = said("short") })
        }
    }

    func entries(_ table: inout ServiceTable) {
        let full = Spire_Api_Types_Entry.with {
            $0.id = said("4bfe041c-26de-47e1-bf7b-0c4665070279")
            $0.spiffeID = id("/web")
            $0.parentID = id("/node")
            $0.selectors = [.with { $0.type = said("unix"); $0.value = said("uid:1000") }, .with { $0.type = said("unix"); $0.value = said("gid:1000") }]
            $0.x509SvidTtl = 600
            $0.jwtSvidTtl = 60
            $0.federatesWith = ["other.test", "third.test"].map(said)
            $0.admin = true
            $0.downstream = true
            $0.expiresAt = 1_795_223_838
            $0.dnsNames = ["a.example", "b.example"].map(said)
            $0.revisionNumber = 7
            $0.storeSvid = true
            $0.hint = said("internal <&>")
            $0.createdAt = 1_795_223_241
            $0.additionalAttributes.disableX509SvidPrefetch = true
            $0.additionalAttributes.jwtSvidIncludeJti = true
        }
        let small = Spire_Api_Types_Entry.with {
            $0.id = said("small")
            $0.spiffeID = id("/db")
            $0.parentID = id("/node")
            $0.selectors = [.with { $0.type = said("unix"); $0.value = said("uid:0") }]
        }
        table.unary(EntryMethods.listEntries) { _, _ in try pick(.with { $0.entries = [full, small] }, .init()) }
        table.unary(EntryMethods.countEntries) { _, _ in try pick(.with { $0.count = 3 }, .with { $0.count = 1 }) }
        table.unary(EntryMethods.getEntry) { request, _ in
            if mood == .refusing { throw RPCStatus(.notFound, said("entry not found")) }
            return try pick(full, small)
        }
        table.unary(EntryMethods.batchCreateEntry) { request, _ in
            let done = request.entries.map { asked in
                var stored = asked
                if stored.id.isEmpty { stored.id = said("made-up") }
                stored.createdAt = 1_795_223_241
                return Spire_Api_Server_Entry_V1_BatchCreateEntryResponse.Result.with {
                    $0.status = Self.ok
                    $0.entry = stored
                }
            }
            let failed = request.entries.indices.map { index in
                index == 0 && request.entries.count > 1
                    ? done[0]
                    : Spire_Api_Server_Entry_V1_BatchCreateEntryResponse.Result.with { $0.status = taken }
            }
            return try pick(.with { $0.results = done }, .init(), refusing: .with { $0.results = failed })
        }
        table.unary(EntryMethods.batchUpdateEntry) { request, _ in
            let done = request.entries.map { asked in
                Spire_Api_Server_Entry_V1_BatchUpdateEntryResponse.Result.with {
                    $0.status = Self.ok
                    $0.entry = asked
                    $0.entry.revisionNumber = 8
                }
            }
            let failed = request.entries.map { _ in
                Spire_Api_Server_Entry_V1_BatchUpdateEntryResponse.Result.with { $0.status = missing }
            }
            return try pick(.with { $0.results = done }, .init(), refusing: .with { $0.results = failed })
        }
        table.unary(EntryMethods.batchDeleteEntry) { request, _ in
            let results = request.ids.enumerated().map { index, id in
                Spire_Api_Server_Entry_V1_BatchDeleteEntryResponse.Result.with {
                    $0.id = said(id)
                    $0.status = mood == .refusing && (index > 0 || request.ids.count == 1) ? missing : Self.ok
                }
            }
            return .with { $0.results = results }
        }
    }

    static let root = Data(
        base64Encoded:
            "MIIB/zCCAaWgAwIBAgIQM4/yE11nH6hdrxFxYevvDzAKBggqhkjOPQQDAjBPMQswCQYDVQQGEwJVUzEPMA0GA1UEChMGU1BJRkZFMS8wLQYDVQQFEyY2ODUzODAzNjExMzE2NzEzNjExNjIwOTAzNTY0NTI1MTQ4MTM1OTAeFw0yNjExMjEwMTA3MDZaFw0yNjExMjIwMTA3MTZaME8xCzAJBgNVBAYTAlVTMQ8wDQYDVQQKEwZTUElGRkUxLzAtBgNVBAUTJjY4NTM4MDM2MTEzMTY3MTM2MTE2MjA5MDM1NjQ1MjUxNDgxMzU5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErucoCseBIqtXgCVkeZ+nYHl4356A9AIJxiqXZwU9sGJx21XHuV3zWqB51/lI1bwZxwaHm5u93V0KnTyot2iX9aNjMGEwDgYDVR0PAQH/BAQDAgEGMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFM0U/x1Axxp2weeIO275xGczb1peMB8GA1UdEQQYMBaGFHNwaWZmZTovL2V4YW1wbGUub3JnMAoGCCqGSM49BAMCA0gAMEUCIQCLHw+I+IZpZdBv1IcY+27PGQ7Ja625BTShOxcrw1RP5QIgL7vfM0gVZEl6oj3Wp7vIsSPw0LbLVqImDDfUFpRprGs="
    ) ?? Data()
    private static let tokenKey = Data(
        base64Encoded:
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpm5nMU/8mrTlvkKzQFuEGv4h1lVnejJ/6xCF4vkMcszPznlg3tkVPUUsNIzmfTEZ6FP/McxBGB65JAIOVAEwqA=="
    ) ?? Data()

    private func bundle(_ trustDomain: String) -> Spire_Api_Types_Bundle {
        .with {
            $0.trustDomain = said(trustDomain)
            $0.x509Authorities = [.with { $0.asn1 = Self.root; $0.tainted = true }]
            $0.jwtAuthorities = [
                .with {
                    $0.keyID = said("nEkAThuKcoRnKYrAMAuWgo7hGJDlcDrI")
                    $0.publicKey = Self.tokenKey
                    $0.expiresAt = 1_795_309_636
                }
            ]
            $0.refreshHint = 300
            $0.sequenceNumber = 42
        }
    }

    func bundles(_ table: inout ServiceTable) {
        let empty = Spire_Api_Types_Bundle.with { $0.trustDomain = "example.org" }
        table.unary(BundleMethods.countBundles) { _, _ in try pick(.with { $0.count = 2 }, .with { $0.count = 1 }) }
        table.unary(BundleMethods.getBundle) { _, _ in try pick(bundle("example.org"), empty) }
        table.unary(BundleMethods.getFederatedBundle) { _, _ in try pick(bundle("domain.test"), empty) }
        table.unary(BundleMethods.listFederatedBundles) { _, _ in
            try pick(.with { $0.bundles = [bundle("domain.test"), bundle("other.test")] }, .init())
        }
        table.unary(BundleMethods.batchSetFederatedBundle) { request, _ in
            try pick(
                .with {
                    $0.results = request.bundle.map { asked in
                        .with {
                            $0.status = Self.ok
                            $0.bundle = asked
                        }
                    }
                }, .init(), refusing: .with { $0.results = [.with { $0.status = .with { $0.code = 13; $0.message = said("failed to set bundle: disk full") } }] })
        }
        table.unary(BundleMethods.batchDeleteFederatedBundle) { request, _ in
            .with {
                $0.results = request.trustDomains.map { name in
                    .with {
                        $0.trustDomain = said(name)
                        $0.status =
                            mood == .refusing
                            ? .with {
                                $0.code = 9
                                $0.message =
                                    said("failed to delete federated bundle: datastore-sql: cannot delete bundle; federated with 1 registration entries")
                            } : Self.ok
                    }
                }
            }
        }
    }

    func federation(_ table: inout ServiceTable) {
        let web = Spire_Api_Types_FederationRelationship.with {
            $0.trustDomain = said("td2")
            $0.bundleEndpointURL = said("https://h/")
            $0.httpsWeb = .init()
        }
        let spiffe = Spire_Api_Types_FederationRelationship.with {
            $0.trustDomain = said("td3")
            $0.bundleEndpointURL = said("https://h/")
            $0.httpsSpiffe.endpointSpiffeID = said("spiffe://td3/server")
            $0.trustDomainBundle = bundle("td3")
        }
        let duplicate = Spire_Api_Types_Status.with {
            $0.code = 13
            $0.message = said("failed to create federation relationship: datastore-sql: UNIQUE constraint failed")
        }
        table.unary(TrustDomainMethods.listFederationRelationships) { _, _ in
            try pick(.with { $0.federationRelationships = [web, spiffe] }, .init())
        }
        table.unary(TrustDomainMethods.getFederationRelationship) { _, _ in
            if mood == .refusing { throw RPCStatus(.notFound, said("federation relationship does not exist")) }
            return try pick(spiffe, web)
        }
        table.unary(TrustDomainMethods.batchCreateFederationRelationship) { request, _ in
            .with {
                $0.results = request.federationRelationships.enumerated().map { index, asked in
                    .with {
                        $0.status = mood == .refusing && index == request.federationRelationships.count - 1 ? duplicate : Self.ok
                        if $0.status.code == 0 { $0.federationRelationship = asked }
                    }
                }
            }
        }
        table.unary(TrustDomainMethods.batchUpdateFederationRelationship) { request, _ in
            if mood == .refusing { throw refusal }
            return .with {
                $0.results = request.federationRelationships.map { asked in
                    .with {
                        $0.status = mood == .bare ? duplicate : Self.ok
                        if mood == .willing { $0.federationRelationship = asked }
                    }
                }
            }
        }
        table.unary(TrustDomainMethods.batchDeleteFederationRelationship) { request, _ in
            .with {
                $0.results = request.trustDomains.map { name in
                    .with {
                        $0.trustDomain = said(name)
                        $0.status =
                            mood == .refusing
                            ? .with { $0.code = 5; $0.message = said("federation relationship not found") } : Self.ok
                    }
                }
            }
        }
        table.unary(TrustDomainMethods.refreshBundle) { _, _ in
            switch mood {
            case .willing: return Google_Protobuf_Empty()
            case .bare: throw RPCStatus(.notFound, said("no relationship with trust domain \"td2\""))
            case .refusing: throw RPCStatus(.internal, said("failed to refresh bundle: no route"))
            }
        }
    }

    private func state(_ id: String, upstream: String = "") -> Spire_Api_Server_Localauthority_V1_AuthorityState {
        .with {
            $0.authorityID = said(id)
            $0.expiresAt = 1_795_309_636
            $0.upstreamAuthoritySubjectKeyID = upstream.isEmpty ? "" : said(upstream)
        }
    }

    func authorities(_ table: inout ServiceTable) {
        let (a, b, c) = (state("8c3f"), state("91d0", upstream: "0badcafe"), state("77aa"))
        table.unary(LocalAuthorityMethods.getX509AuthorityState) { _, _ in
            try pick(.with { $0.active = a; $0.prepared = b; $0.old = c }, .with { $0.active = b })
        }
        table.unary(LocalAuthorityMethods.getJWTAuthorityState) { _, _ in
            try pick(.with { $0.active = a; $0.prepared = b; $0.old = c }, .with { $0.active = a })
        }
        table.unary(LocalAuthorityMethods.prepareX509Authority) { _, _ in try pick(.with { $0.preparedAuthority = a }, .with { $0.preparedAuthority = b }) }
        table.unary(LocalAuthorityMethods.activateX509Authority) { _, _ in try pick(.with { $0.activatedAuthority = a }, .with { $0.activatedAuthority = b }) }
        table.unary(LocalAuthorityMethods.taintX509Authority) { _, _ in try pick(.with { $0.taintedAuthority = a }, .with { $0.taintedAuthority = b }) }
        table.unary(LocalAuthorityMethods.revokeX509Authority) { _, _ in try pick(.with { $0.revokedAuthority = a }, .with { $0.revokedAuthority = b }) }
        table.unary(LocalAuthorityMethods.prepareJWTAuthority) { _, _ in try pick(.with { $0.preparedAuthority = a }, .init()) }
        table.unary(LocalAuthorityMethods.activateJWTAuthority) { _, _ in try pick(.with { $0.activatedAuthority = a }, .init()) }
        table.unary(LocalAuthorityMethods.taintJWTAuthority) { _, _ in try pick(.with { $0.taintedAuthority = a }, .init()) }
        table.unary(LocalAuthorityMethods.revokeJWTAuthority) { _, _ in try pick(.with { $0.revokedAuthority = a }, .init()) }
        table.unary(LocalAuthorityMethods.taintX509UpstreamAuthority) { request, _ in
            try pick(.with { $0.upstreamAuthoritySubjectKeyID = said(request.subjectKeyID) }, .init())
        }
        table.unary(LocalAuthorityMethods.revokeX509UpstreamAuthority) { request, _ in
            try pick(.with { $0.upstreamAuthoritySubjectKeyID = said(request.subjectKeyID) }, .init())
        }
    }

    func small(_ table: inout ServiceTable) {
        let answer = Spire_Api_Types_Logger.with { $0.currentLevel = .warn; $0.launchLevel = .info }
        let odd = Spire_Api_Types_Logger.with { $0.currentLevel = .trace; $0.launchLevel = .panic }
        table.unary(LoggerMethods.getLogger) { _, _ in try pick(answer, odd) }
        table.unary(LoggerMethods.setLogLevel) { request, _ in
            try pick(.with { $0.currentLevel = request.newLevel; $0.launchLevel = .info }, odd)
        }
        table.unary(LoggerMethods.resetLogLevel) { _, _ in
            try pick(.with { $0.currentLevel = .info; $0.launchLevel = .info }, odd)
        }
        table.unary(DebugMethods.getInfo) { _, _ in
            try pick(
                .with {
                    $0.uptime = 3723
                    $0.agentsCount = 3
                    $0.entriesCount = 10
                    $0.federatedBundlesCount = 1
                    $0.svidChain = [
                        .with {
                            $0.id = id("/spire/server")
                            $0.subject = said("O=SPIRE,C=US")
                            $0.expiresAt = 1_795_226_838
                        },
                        .with {
                            $0.subject = said("SERIALNUMBER=68,O=SPIFFE,C=US")
                            $0.expiresAt = 1_795_309_636
                        },
                    ]
                }, .init())
        }
        table.unary(SVIDMethods.mintX509SVID) { _, _ in
            try pick(
                .with {
                    $0.svid.certChain = [Self.root]
                    $0.svid.id = id("/minted")
                    $0.svid.expiresAt = 1_795_226_838
                }, .init())
        }
        table.unary(SVIDMethods.mintWITSVID) { _, _ in
            try pick(
                .with {
                    $0.svid.token = said("header.payload.signature")
                    $0.svid.id = id("/minted")
                    $0.svid.expiresAt = 1_795_223_550
                    $0.svid.issuedAt = 1_795_219_950
                }, .init())
        }
        table.unary(SVIDMethods.mintJWTSVID) { _, _ in
            try pick(
                .with {
                    $0.svid.token = said("header.payload.signature")
                    $0.svid.id = id("/minted")
                    $0.svid.expiresAt = 1_795_223_550
                    $0.svid.issuedAt = 1_795_223_250
                }, .init())
        }
    }
}
