// SPDX-License-Identifier: Apache-2.0

import APIProtos
import AgentCore
import FoundationEssentials
import Groundwork
import Issuance
import Logging
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
    /// DER certificates the server is verified against.
    let authorities: [[UInt8]]
    /// One request for all workload certificates: the server takes names from entries, and keys are not what is measured.
    let workloadCSR: [UInt8]
    let logger: Logger

    init(_ options: ScaleOptions, group: any EventLoopGroup, bundle pem: String) throws {
        self.options = options
        self.group = group
        authorities = try X509Bundle(TrustDomain(options.trustDomain), pem: pem).authorities.map(\.der)
        workloadCSR = try CSR.make(key: LocalKey.generate(.ecP256), uri: nil)
        logger = Logger(label: "spire-scale") { _ in SwiftLogNoOpLogHandler() }
    }

    /// The agent's own client of a server.
    func client(_ identity: @escaping @Sendable () -> TLSIdentity?) throws -> ServerClient {
        let authorities = authorities
        return ServerClient(
            ServerPlace(host: options.host, port: options.port, trustDomain: try TrustDomain(options.trustDomain)),
            group: group, time: SystemTime(), logger: logger, identity: identity, authorities: { authorities })
    }
}

/// One agent: an identity, one connection, and what it knows of its entries. It speaks through the agent's own client code.
final class SimulatedAgent: Sendable {
    private struct State {
        var identity: TLSIdentity?
        var client: ServerClient?
        var renewals = 0
        var streams = 0
        /// Has the open stream go to another connection.
        var leaving: (@Sendable () -> Void)?
        var completeChanges = 0
    }

    let number: Int
    let token: String
    let parts: FleetParts
    private let state = Mutex(State())
    private let entries = Mutex(HeldEntries())

    private static let patience: Duration = .seconds(60)

    init(_ number: Int, token: String, _ parts: FleetParts) {
        self.number = number
        self.token = token
        self.parts = parts
    }

    static func path(_ token: String) -> String { "/spire/agent/join_token/\(token)" }

    private func client() throws -> ServerClient {
        try state.withLock { state in
            if let client = state.client { return client }
            let client = try parts.client { [weak self] in self?.state.withLock { $0.identity } }
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
        let anonymous = try parts.client { nil }
        let chain: [[UInt8]]
        do {
            chain = try await anonymous.withClient { client in
                try await client.bidirectional(AgentMethods.attestAgent) { writer, responses in
                    try await writer.send(first)
                    guard let answer = try await responses.next() else { throw RPCStatus(.internal, "no answer") }
                    return answer.result.svid.certChain.map { [UInt8]($0) }
                }
            }
        } catch {
            await anonymous.close()
            throw error
        }
        await anonymous.close()
        let identity = TLSIdentity(chain: chain, key: .local(pkcs8: key.pkcs8))
        state.withLock { $0.identity = identity }
    }

    /// Renews its certificate and connects with the new one from now on.
    func renew() async throws {
        let key = try LocalKey.generate(.ecP256)
        let client = try client()
        let chain = try await client.renewAgent(csr: try CSR.make(key: key, uri: nil), timeout: Self.patience)
        let identity = TLSIdentity(chain: chain, key: .local(pkcs8: key.pkcs8))
        let leaving = state.withLock { state in
            state.identity = identity
            state.renewals += 1
            return state.leaving
        }
        await client.reconnect()
        leaving?()
    }

    /// How often it has renewed: a call that fails while this grows was ended by the renewal.
    var renewals: Int { state.withLock { $0.renewals } }
    /// Streams opened, and how many of their changes were everything anew instead of what changed.
    var streams: (opened: Int, completeChanges: Int) { state.withLock { ($0.streams, $0.completeChanges) } }

    /// Takes in what has changed, by the original's protocol.
    func synchronize() async throws -> EntryNews {
        let outcome = try await client().synchronizeEntries(timeout: Self.patience) { revisions in
            entries.withLock { $0.stale(revisions) }
        }
        return entries.withLock { $0.take(outcome) }
    }

    /// Follows the server's stream from where the agent stands, until the server ends it. `seen` is called with each change,
    /// the first of which says only that there is none, as a rule.
    /// - Parameter leaving: Called when the server asks the agent to go elsewhere.
    /// - Throws: `HeldEntries.Mismatch` when the changes do not add up to what the server says.
    func stream(leaving: @escaping @Sendable () -> Void, _ seen: (EntryNews) async -> Void) async throws {
        state.withLock { state in
            state.streams += 1
            state.leaving = leaving
        }
        let parts = Mutex(EntryPush())
        try await client().followEntries(entries.withLock { $0.start }, leaving: leaving) { part, more in
            guard let change = try parts.withLock({ try $0.received(part, more: more) }) else { return }
            if change.isComplete { state.withLock { $0.completeChanges += 1 } }
            await seen(try entries.withLock { try $0.take(change) })
        }
    }

    /// Makes the connection that the next stream goes over.
    func connect() async throws { try await client().connect(timeout: Self.patience) }

    var entryCount: Int { entries.withLock { $0.count } }
    var entryIDs: [String] { entries.withLock { $0.ids } }

    /// Has certificates of these entries signed. - Returns: how many came back good.
    func sign(_ ids: [String]) async throws -> Int {
        var good = 0
        for start in stride(from: 0, to: ids.count, by: parts.options.batch) {
            let requests = ids[start..<min(start + parts.options.batch, ids.count)].map {
                X509Request(entryID: $0, csr: parts.workloadCSR)
            }
            for case .success in try await signed(requests) { good += 1 }
        }
        return good
    }

    private func signed(_ requests: [X509Request]) async throws -> [Result<[[UInt8]], RPCStatus>] {
        let before = renewals
        do {
            return try await client().signX509(requests, timeout: Self.patience)
        } catch where renewals != before {
            return try await client().signX509(requests, timeout: Self.patience)
        }
    }

    func close() async { await state.withLock { $0.client }?.close() }
}
