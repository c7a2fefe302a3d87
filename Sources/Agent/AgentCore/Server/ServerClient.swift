// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
package import Groundwork
package import Logging
package import NIOCore
package import RPC
package import SPIFFE
package import Wire
import Synchronization
package import Telemetry

/// The SPIRE server over mutual TLS, with whatever identity the agent has at the moment of connecting.
package final class ServerClient: IdentityServer {
    private let make: @Sendable () -> ServerConnection
    private let connection: Mutex<ServerConnection>
    let logger: Logger
    private let usesSync: Bool

    /// - Parameters:
    ///   - usesSync: Whether entries come by `SyncAuthorizedEntries` or all at once.
    ///   - identity: Asked for each connection.
    ///   - authorities: DER certificates of the trust domain, asked for each connection.
    package init(
        _ place: ServerPlace, group: any EventLoopGroup, time: any TimeSource, logger: Logger, usesSync: Bool = true,
        tracer: Tracer = .off, identity: @escaping @Sendable () -> TLSIdentity?, authorities: @escaping @Sendable () -> [[UInt8]]
    ) {
        let make: @Sendable () -> ServerConnection = {
            ServerConnection(
                place, group: group, time: time, logger: logger, tracer: tracer, identity: identity,
                authorities: authorities)
        }
        self.make = make
        self.logger = logger
        self.usesSync = usesSync
        connection = Mutex(make())
    }

    var current: ServerConnection { connection.withLock { $0 } }

    package func reconnect() async {
        let old = connection.withLock { connection in
            let old = connection
            connection = make()
            return old
        }
        old.retire()
    }

    package func connect(timeout: Duration) async throws {
        try await current.run { try await $0.connect(timeout: timeout) }
    }

    /// Makes a call this client has no words for: load generators attest by it.
    package func withClient<Result>(_ body: (RPCClient) async throws -> Result) async throws -> Result {
        try await current.run(body)
    }

    /// Ends the connection for good.
    package func close() async { await current.close() }

    package func synchronizeEntries(
        timeout: Duration, compare: @Sendable ([EntrySync.Revision]) -> [String]
    ) async throws -> EntrySync.Outcome {
        try await current.run { client in
            guard usesSync else { return try await allEntries(client, timeout) }
            return try await client.bidirectional(
                EntryMethods.syncAuthorizedEntries, options: CallOptions(timeout: timeout)
            ) { requests, responses in
                var sync = EntrySync()
                var first = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest()
                first.outputMask = Mapping.entryMask
                try await requests.send(first)
                var action = EntrySync.Action.receive
                while true {
                    switch action {
                    case .receive:
                        guard let response = try await responses.next() else {
                            throw SpireError(.syncProtocol, "the server ended the exchange early")
                        }
                        action = try sync.received(Mapping.page(response, logger))
                    case .compare(let revisions):
                        action = sync.compared(stale: compare(revisions))
                    case .request(let ids):
                        var request = Spire_Api_Server_Entry_V1_SyncAuthorizedEntriesRequest()
                        request.ids = ids
                        try await requests.send(request)
                        action = .receive
                    case .done(let outcome):
                        try? await requests.finish()
                        return outcome
                    }
                }
            }
        }
    }

    private func allEntries(_ client: RPCClient, _ timeout: Duration) async throws -> EntrySync.Outcome {
        var request = Spire_Api_Server_Entry_V1_GetAuthorizedEntriesRequest()
        request.outputMask = Mapping.entryMask
        let response = try await client.unary(
            EntryMethods.getAuthorizedEntries, request, options: CallOptions(timeout: timeout))
        return .complete(Mapping.entries(response.entries, logger))
    }

    package func bundle(timeout: Duration) async throws -> TrustBundle {
        try Mapping.bundle(
            try await current.run { client in
                try await client.unary(
                    BundleMethods.getBundle, Spire_Api_Server_Bundle_V1_GetBundleRequest(),
                    options: CallOptions(timeout: timeout))
            })
    }

    package func federatedBundle(_ trustDomain: TrustDomain, timeout: Duration) async throws -> TrustBundle? {
        var request = Spire_Api_Server_Bundle_V1_GetFederatedBundleRequest()
        request.trustDomain = trustDomain.name
        let message = request
        do {
            let bundle = try Mapping.bundle(
                try await current.run { client in
                    try await client.unary(
                        BundleMethods.getFederatedBundle, message, options: CallOptions(timeout: timeout))
                })
            guard bundle.trustDomain == trustDomain else {
                throw SpireError(.serverAnswer, "the server sent the bundle of another trust domain")
            }
            return bundle
        } catch let status as RPCStatus where status.code == .notFound {
            return nil
        }
    }

    package func signX509(
        _ requests: [X509Request], timeout: Duration
    ) async throws -> [Result<[[UInt8]], RPCStatus>] {
        var message = Spire_Api_Server_Svid_V1_BatchNewX509SVIDRequest()
        message.params = requests.map { request in
            var params = Spire_Api_Server_Svid_V1_NewX509SVIDParams()
            params.entryID = request.entryID
            params.csr = Data(request.csr)
            return params
        }
        let batch = message
        let response = try await current.run { client in
            try await client.unary(SVIDMethods.batchNewX509SVID, batch, options: CallOptions(timeout: timeout))
        }
        guard response.results.count == requests.count else {
            throw SpireError(.serverAnswer, "the server answered \(response.results.count) of \(requests.count) CSRs")
        }
        return response.results.map { result in
            let code = StatusCode(rawValue: Int(result.status.code)) ?? .unknown
            guard code == .ok, !result.svid.certChain.isEmpty else {
                return .failure(RPCStatus(code == .ok ? .internal : code, result.status.message))
            }
            return .success(result.svid.certChain.map { Array($0) })
        }
    }

    package func signJWT(entryID: String, audience: [String], timeout: Duration) async throws -> WorkloadJWT {
        var request = Spire_Api_Server_Svid_V1_NewJWTSVIDRequest()
        request.entryID = entryID
        request.audience = audience
        let message = request
        return try Mapping.jwt(
            try await current.run { client in
                try await client.unary(SVIDMethods.newJWTSVID, message, options: CallOptions(timeout: timeout))
            })
    }

    package func renewAgent(csr: [UInt8], timeout: Duration) async throws -> [[UInt8]] {
        var request = Spire_Api_Server_Agent_V1_RenewAgentRequest()
        request.params.csr = Data(csr)
        let message = request
        let response = try await current.run { client in
            try await client.unary(AgentMethods.renewAgent, message, options: CallOptions(timeout: timeout))
        }
        guard response.hasSvid, !response.svid.certChain.isEmpty else {
            throw SpireError(.serverAnswer, "renew agent response missing SVID")
        }
        return response.svid.certChain.map { Array($0) }
    }

    package func postStatus(version: String, timeout: Duration) async throws {
        var request = Spire_Api_Server_Agent_V1_PostStatusRequest()
        request.agentVersion = version
        let message = request
        _ = try await current.run { client in
            try await client.unary(AgentMethods.postStatus, message, options: CallOptions(timeout: timeout))
        }
    }
}
