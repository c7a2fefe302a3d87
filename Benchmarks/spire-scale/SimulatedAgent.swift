// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Issuance
import NIOCore
import RPC
import SPIFFE
import SwiftProtobuf
import Synchronization
import Wire
import X509

/// What all agents of a fleet share.
struct FleetParts: Sendable {
    let options: ScaleOptions
    let group: any EventLoopGroup
    let bundle: X509Bundle
    /// One request for all workload certificates: the server takes names from entries, and keys are not what is measured.
    let workloadCSR: [UInt8]

    init(_ options: ScaleOptions, group: any EventLoopGroup, bundle pem: String) throws {
        self.options = options
        self.group = group
        bundle = try X509Bundle(TrustDomain(options.trustDomain), pem: pem)
        workloadCSR = try CSR.make(key: LocalKey.generate(.ecP256), uri: nil)
    }

    /// A client that verifies the server as an agent does.
    func client(_ identity: @escaping @Sendable () -> TLSIdentity?) -> RPCClient {
        var configuration = RPCClientConfiguration()
        configuration.maximumMessageSize = 256 << 20
        configuration.connectTimeout = .seconds(60)
        let bundle = bundle
        let serverID = "spiffe://\(options.trustDomain)/spire/server"
        return Channels.tls(
            host: options.host, port: options.port, group: group, configuration: configuration, identity: identity
        ) { chain in
            let verified = try X509SVID.verify(chain, bundles: bundle, at: SystemTime().now)
            guard verified.id.description == serverID else {
                throw RPCStatus(.unauthenticated, "not the server: \(verified.id)")
            }
        }
    }
}

/// One agent: an identity, one connection, and what it knows of its entries.
final class SimulatedAgent: Sendable {
    private struct State {
        var identity: TLSIdentity?
        var client: RPCClient?
    }

    let number: Int
    let token: String
    let parts: FleetParts
    private let state = Mutex(State())

    init(_ number: Int, token: String, _ parts: FleetParts) {
        self.number = number
        self.token = token
        self.parts = parts
    }

    static func path(_ token: String) -> String { "/spire/agent/join_token/\(token)" }

    /// The connection with the identity of the moment it was made.
    var client: RPCClient {
        state.withLock { state in
            if let client = state.client { return client }
            let client = parts.client { [weak self] in self?.state.withLock { $0.identity } }
            state.client = client
            return client
        }
    }

    /// Proves itself with its token over an anonymous connection.
    func attest() async throws {
        let key = try LocalKey.generate(.ecP256)
        var request = Spire_Api_Server_Agent_V1_AttestAgentRequest()
        request.params.data.type = "join_token"
        request.params.data.payload = Data(token.utf8)
        request.params.params.csr = Data(try CSR.make(key: key, uri: nil))
        let first = request
        let anonymous = parts.client { nil }
        let chain: [[UInt8]]
        do {
            chain = try await anonymous.bidirectional(AgentMethods.attestAgent) { writer, responses in
                try await writer.send(first)
                guard let answer = try await responses.next() else { throw RPCStatus(.internal, "no answer") }
                return answer.result.svid.certChain.map { [UInt8]($0) }
            }
        } catch {
            await anonymous.close()
            throw error
        }
        await anonymous.close()
        use(TLSIdentity(chain: chain, key: .local(pkcs8: key.pkcs8)))
    }

    /// Renews its certificate and connects with the new one from now on.
    func renew() async throws {
        let key = try LocalKey.generate(.ecP256)
        var request = Spire_Api_Server_Agent_V1_RenewAgentRequest()
        request.params.csr = Data(try CSR.make(key: key, uri: nil))
        let chain = try await client.unary(AgentMethods.renewAgent, request).svid.certChain.map { [UInt8]($0) }
        let old = use(TLSIdentity(chain: chain, key: .local(pkcs8: key.pkcs8)))
        await old?.close()
    }

    @discardableResult
    private func use(_ identity: TLSIdentity) -> RPCClient? {
        state.withLock { state in
            state.identity = identity
            defer { state.client = nil }
            return state.client
        }
    }

    /// All entries the agent is authorized for that `isKnown` does not hold, by the original's protocol.
    /// - Returns: the entries new to it, and how many there are in all.
    func synchronize(
        isKnown: (String) -> Bool
    ) async throws -> (news: [Spire_Api_Types_Entry], present: Set<String>) {
        var first = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest()
        first.outputMask = Self.mask
        let opening = first
        return try await client.bidirectional(EntryMethods.syncAuthorizedEntries) { requests, responses in
            try await requests.send(opening)
            var ids: [String] = []
            var news: [Spire_Api_Types_Entry] = []
            while let page = try await responses.next() {
                if page.entryRevisions.isEmpty {
                    let present = Set(page.entries.map(\.id))
                    return (page.entries.filter { !isKnown($0.id) }, present)
                }
                ids.append(contentsOf: page.entryRevisions.map(\.id))
                if !page.more { break }
            }
            let wanted = ids.filter { !isKnown($0) }
            for start in stride(from: 0, to: wanted.count, by: 500) {
                var request = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest()
                request.ids = Array(wanted[start..<min(start + 500, wanted.count)])
                try await requests.send(request)
                while let page = try await responses.next() {
                    news.append(contentsOf: page.entries)
                    if !page.more { break }
                }
            }
            try? await requests.finish()
            return (news, Set(ids))
        }
    }

    /// Has certificates of these entries signed. - Returns: how many came back good.
    func sign(_ ids: [String]) async throws -> Int {
        var good = 0
        for start in stride(from: 0, to: ids.count, by: parts.options.batch) {
            var request = Spire_Api_Server_Svid_V1_BatchNewX509SVIDRequest()
            request.params = ids[start..<min(start + parts.options.batch, ids.count)].map { id in
                var item = Spire_Api_Server_Svid_V1_NewX509SVIDParams()
                item.entryID = id
                item.csr = Data(parts.workloadCSR)
                return item
            }
            let answer = try await client.unary(SVIDMethods.batchNewX509SVID, request)
            good += answer.results.reduce(0) { $0 + ($1.status.code == 0 && !$1.svid.certChain.isEmpty ? 1 : 0) }
        }
        return good
    }

    func close() async { await state.withLock { $0.client }?.close() }

    /// What the original's agents ask for.
    static var mask: Spire_Api_Types_EntryMask {
        var mask = Spire_Api_Types_EntryMask()
        mask.spiffeID = true
        mask.selectors = true
        mask.federatesWith = true
        mask.admin = true
        mask.downstream = true
        mask.revisionNumber = true
        mask.storeSvid = true
        mask.hint = true
        mask.createdAt = true
        return mask
    }
}
