// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import NIOPosix
import RPC
import SwiftProtobuf
import Wire

/// A server on a real socket whose answers never change.
struct ScriptedServer: Sendable {
    /// How it answers.
    enum Mood: String, Sendable, CaseIterable {
        /// Everything succeeds; lists hold several things.
        case willing
        /// Lists are empty, optional parts absent.
        case bare
        /// Batches succeed in part, or not at all; single calls are refused.
        case refusing
    }

    let socketPath: String
    let folder: String

    /// - Parameter spoiling: What is put behind every text that others chose.
    static func run(_ mood: Mood, spoiling: String = "", _ body: (ScriptedServer) async throws -> Void) async throws {
        let folder = "/tmp/cli-\(SystemRandom().uuid().prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = RPCServer(services: table(mood, spoiling))
        let listener = try await UnixListener.bind(
            path: folder + "/api.sock", mode: 0o600, group: MultiThreadedEventLoopGroup.singleton, server: server)
        do {
            try await body(ScriptedServer(socketPath: folder + "/api.sock", folder: folder))
        } catch {
            await listener.close()
            await server.drain(within: .seconds(1))
            throw error
        }
        await listener.close()
        await server.drain(within: .seconds(1))
    }

    private static func table(_ mood: Mood, _ spoiling: String) -> ServiceTable {
        var table = ServiceTable()
        let answers = ScriptedAnswers(mood: mood, spoiling: spoiling)
        table.unary(HealthMethods.check) { _, _ in
            switch mood {
            case .willing: .with { $0.status = .serving }
            case .bare: .with { $0.status = .notServing }
            case .refusing: throw refusal
            }
        }
        answers.agents(&table)
        answers.bundles(&table)
        answers.entries(&table)
        answers.federation(&table)
        answers.authorities(&table)
        answers.small(&table)
        return table
    }

    static let refusal = RPCStatus(.permissionDenied, "authorization denied for method /x")
}
