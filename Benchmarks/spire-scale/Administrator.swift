// SPDX-License-Identifier: Apache-2.0

import APIProtos
import NIOCore
import RPC
import SwiftProtobuf
import Wire

/// The operator's side: tokens, entries and the log level, over the local socket.
struct Administrator: Sendable {
    private let client: RPCClient
    private let trustDomain: String

    init(_ options: ScaleOptions, group: any EventLoopGroup) {
        var configuration = RPCClientConfiguration()
        configuration.maximumMessageSize = 64 << 20
        client = Channels.unix(path: options.admin, group: group, configuration: configuration)
        trustDomain = options.trustDomain
    }

    func makeToken(_ token: String) async throws {
        var request = Spire_Api_Server_Agent_V1_CreateJoinTokenRequest()
        request.ttl = 3600
        request.token = token
        _ = try await client.unary(AgentMethods.createJoinToken, request)
    }

    /// An entry of the agent `token` stands for.
    func entry(id: String, path: String, token: String, number: Int) -> Spire_Api_Types_Entry {
        var entry = Spire_Api_Types_Entry()
        entry.id = id
        entry.spiffeID.trustDomain = trustDomain
        entry.spiffeID.path = path
        entry.parentID.trustDomain = trustDomain
        entry.parentID.path = SimulatedAgent.path(token)
        var selector = Spire_Api_Types_Selector()
        selector.type = "unix"
        selector.value = "uid:\(1000 + number % 50_000)"
        var second = Spire_Api_Types_Selector()
        second.type = "unix"
        second.value = "path:/opt/programs/program-\(number)"
        entry.selectors = [selector, second]
        return entry
    }

    func create(_ entries: [Spire_Api_Types_Entry]) async throws {
        var request = Spire_Api_Server_Entry_V1_BatchCreateEntryRequest()
        request.entries = entries
        request.outputMask = Spire_Api_Types_EntryMask()
        let answer = try await client.unary(EntryMethods.batchCreateEntry, request)
        if let bad = answer.results.first(where: { $0.status.code != 0 }) {
            throw RPCStatus(.internal, "entry not created: \(bad.status.message)")
        }
    }

    func delete(_ id: String) async throws {
        var request = Spire_Api_Server_Entry_V1_BatchDeleteEntryRequest()
        request.ids = [id]
        let answer = try await client.unary(EntryMethods.batchDeleteEntry, request)
        if let bad = answer.results.first(where: { $0.status.code != 0 }) {
            throw RPCStatus(.internal, "entry not deleted: \(bad.status.message)")
        }
    }

    func logDebug(_ on: Bool) async throws {
        if on {
            var request = Spire_Api_Server_Logger_V1_SetLogLevelRequest()
            request.newLevel = .debug
            _ = try await client.unary(LoggerMethods.setLogLevel, request)
        } else {
            _ = try await client.unary(LoggerMethods.resetLogLevel, Spire_Api_Server_Logger_V1_ResetLogLevelRequest())
        }
    }

    func close() async { await client.close() }
}
