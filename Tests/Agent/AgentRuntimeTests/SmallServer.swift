// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Issuance
import NIOCore
import NIOPosix
import RPC
import SPIFFE
import Synchronization
import SwiftProtobuf
import Wire
import X509

/// The part of a SPIRE server that an agent sees, over real TLS on the loopback: join token attestation, entries in
/// pages, signing. It checks what a real one checks of its callers.
final class SmallServer: Sendable {
    struct State {
        var tokens: Set<String> = []
        var entries: [Spire_Api_Types_Entry] = []
        var attestations = 0
        var renewals = 0
        var signed = 0
        /// Answered to every call of an agent while set.
        var denial: RPCStatus?
    }

    static let pageSize = 2
    let domain: TrustDomain
    let state = Mutex(State())
    let authority: X509CA
    let tokenKey: LocalKey
    private let identity: TLSIdentity
    let agentTTL: Duration

    init(agentTTL: Duration = .seconds(3600)) async throws {
        domain = try TrustDomain("example.org")
        self.agentTTL = agentTTL
        tokenKey = try LocalKey.generate(.ecP256)
        authority = try await X509CA.selfSigned(
            signer: try LocalKey.generate(.ecP256), trustDomain: domain, subject: .authority, ttl: .seconds(86_400),
            now: SystemTime().now, random: SystemRandom())
        let key = try LocalKey.generate(.ecP256)
        let request = X509CA.Request(
            id: try SPIFFEID(domain, path: "/spire/server"), publicKey: key.publicKey, ttl: .seconds(3600))
        let leaf = try await authority.signSVID(request, now: SystemTime().now, random: SystemRandom())
        identity = TLSIdentity(chain: [leaf.der], key: .local(pkcs8: key.pkcs8))
    }

    /// The bundle as an operator would hand it to an agent.
    var bundlePEM: String {
        "-----BEGIN CERTIFICATE-----\n\(Data(authority.certificate.der).base64EncodedString())\n-----END CERTIFICATE-----\n"
    }

    /// Serves until `body` returns, which is given the port.
    func run<Result>(port: Int = 0, _ body: (Int) async throws -> Result) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let bundle = X509Bundle(domain, authorities: [try Certificate(spiffeDER: authority.certificate.der)])
        let identity = identity
        let server = RPCServer(services: table(), errorMapper: { RPCStatus(mapping: $0) })
        let listener = try await TLSListener.bind(
            host: "127.0.0.1", port: port, group: group, server: server, identity: { identity },
            verifyClient: { try X509SVID.verify($0, bundles: bundle, at: SystemTime().now).id })
        let outcome: Swift.Result<Result, any Error>
        do {
            outcome = .success(try await body(listener.address.port ?? 0))
        } catch {
            outcome = .failure(error)
        }
        await listener.close()
        await server.drain(within: .zero)
        try? await group.shutdownGracefully()
        return try outcome.get()
    }

    private func agent(_ context: RPCContext) throws -> SPIFFEID {
        if let denial = state.withLock({ $0.denial }) { throw denial }
        guard case .mutualTLS(_, let id, _) = context.peerIdentity else {
            throw RPCStatus(.permissionDenied, "authorization denied for method \(context.method)")
        }
        return id
    }

    private func sign(_ id: SPIFFEID, csr der: Data, ttl: Duration) async throws -> Spire_Api_Types_X509SVID {
        let csr = try CSR.parse(Array(der))
        try csr.verifySignature()
        let request = X509CA.Request(id: id, publicKey: csr.publicKey, ttl: ttl)
        let signed = try await authority.signSVID(request, now: SystemTime().now, random: SystemRandom())
        var svid = Spire_Api_Types_X509SVID()
        svid.certChain = [Data(signed.der)]
        svid.id.trustDomain = id.trustDomain.name
        svid.id.path = id.path
        svid.expiresAt = signed.notAfter
        return svid
    }

    private func table() -> ServiceTable {
        var table = ServiceTable()
        table.bidirectional(AgentMethods.attestAgent) { requests, responses, _ in
            guard let first = try await requests.next() else { throw RPCStatus(.invalidArgument, "nothing sent") }
            let token = String(decoding: first.params.data.payload, as: UTF8.self)
            guard first.params.data.type == "join_token", self.state.withLock({ $0.tokens.remove(token) }) != nil else {
                throw RPCStatus(
                    .invalidArgument, "failed to attest: join token does not exist or has already been used")
            }
            self.state.withLock { $0.attestations += 1 }
            var response = Spire_Api_Server_Agent_V1_AttestAgentResponse()
            response.result.svid = try await self.sign(
                try SPIFFEID(self.domain, path: "/spire/agent/join_token/\(token)"), csr: first.params.params.csr,
                ttl: self.agentTTL)
            try await responses.send(response)
        }
        table.unary(AgentMethods.renewAgent) { request, context in
            let id = try self.agent(context)
            self.state.withLock { $0.renewals += 1 }
            var response = Spire_Api_Server_Agent_V1_RenewAgentResponse()
            response.svid = try await self.sign(id, csr: request.params.csr, ttl: .seconds(3600))
            return response
        }
        table.unary(AgentMethods.postStatus) { _, context in
            _ = try self.agent(context)
            return Spire_Api_Server_Agent_V1_PostStatusResponse()
        }
        table.unary(BundleMethods.getBundle) { _, _ in
            var bundle = Spire_Api_Types_Bundle()
            bundle.trustDomain = self.domain.name
            var certificate = Spire_Api_Types_X509Certificate()
            certificate.asn1 = Data(self.authority.certificate.der)
            bundle.x509Authorities = [certificate]
            var key = Spire_Api_Types_JWTKey()
            key.keyID = "key1"
            key.publicKey = Data(self.tokenKey.publicKey.spki)
            bundle.jwtAuthorities = [key]
            return bundle
        }
        table.bidirectional(EntryMethods.syncAuthorizedEntries) { requests, responses, context in
            _ = try self.agent(context)
            guard let first = try await requests.next(), first.outputMask.revisionNumber else {
                throw RPCStatus(.invalidArgument, "revision number cannot be masked")
            }
            let entries = self.state.withLock { $0.entries }.sorted { $0.id < $1.id }
            guard entries.count > Self.pageSize else {
                var response = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesResponse()
                response.entries = entries
                return try await responses.send(response)
            }
            for start in stride(from: 0, to: entries.count, by: Self.pageSize) {
                var response = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesResponse()
                response.entryRevisions = entries[start..<min(start + Self.pageSize, entries.count)].map { entry in
                    var revision = Spire_Api_Server_Entry_V1_EntryRevision()
                    revision.id = entry.id
                    revision.revisionNumber = entry.revisionNumber
                    return revision
                }
                response.more = start + Self.pageSize < entries.count
                try await responses.send(response)
            }
            while let request = try await requests.next() {
                var response = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesResponse()
                response.entries = entries.filter { request.ids.contains($0.id) }
                try await responses.send(response)
            }
        }
        table.unary(SVIDMethods.batchNewX509SVID) { request, context in
            _ = try self.agent(context)
            var response = Spire_Api_Server_Svid_V1_BatchNewX509SVIDResponse()
            let entries = self.state.withLock { $0.entries }
            for params in request.params {
                var result = Spire_Api_Server_Svid_V1_BatchNewX509SVIDResponse.Result()
                if let entry = entries.first(where: { $0.id == params.entryID }) {
                    result.svid = try await self.sign(
                        try SPIFFEID(self.domain, path: entry.spiffeID.path), csr: params.csr, ttl: .seconds(600))
                    self.state.withLock { $0.signed += 1 }
                } else {
                    result.status.code = 5
                    result.status.message = "entry not found or not authorized"
                }
                response.results.append(result)
            }
            return response
        }
        table.unary(SVIDMethods.newJWTSVID) { request, context in
            _ = try self.agent(context)
            guard let entry = self.state.withLock({ $0.entries.first { $0.id == request.entryID } }) else {
                throw RPCStatus(.notFound, "entry not found or not authorized")
            }
            let now = Int64(SystemTime().now.timeIntervalSince1970)
            let claims = JWTClaims(
                subject: try SPIFFEID(self.domain, path: entry.spiffeID.path), audience: request.audience, issuedAt: now,
                expiresAt: now + 300)
            var response = Spire_Api_Server_Svid_V1_NewJWTSVIDResponse()
            response.svid.token = try await JWSWriter(signer: self.tokenKey, keyID: "key1").token(claims, now: now)
            response.svid.issuedAt = now
            response.svid.expiresAt = now + 300
            return response
        }
        return table
    }

    static func entry(_ id: String, _ path: String, _ selectors: String...) -> Spire_Api_Types_Entry {
        var entry = Spire_Api_Types_Entry()
        entry.id = id
        entry.spiffeID.trustDomain = "example.org"
        entry.spiffeID.path = path
        entry.selectors = selectors.map { text in
            let parts = text.split(separator: ":", maxSplits: 1)
            var selector = Spire_Api_Types_Selector()
            selector.type = String(parts[0])
            selector.value = String(parts[1])
            return selector
        }
        return entry
    }
}
