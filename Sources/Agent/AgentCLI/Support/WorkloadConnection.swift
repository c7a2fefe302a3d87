// SPDX-License-Identifier: Apache-2.0

import CLISupport
import NIOPosix
import RPC
import Wire

/// The flags that say which agent a command talks to.
struct WorkloadConnectionFlags {
    static let fallback = "/tmp/spire-agent/public/api.sock"
    private let socketPath: Flag<String>
    private let instance: Flag<String>

    init(_ flags: FlagSet) {
        socketPath = flags.string("socketPath", Self.fallback, "Path to the SPIRE Agent API Unix domain socket")
        instance = flags.string(
            "instance", "",
            "Instance name to substitute into socket templates (env SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE).")
    }

    /// Decides the path: the flag, then the instance's template, then the environment, then the default.
    func path(_ environment: [String: String]) throws -> String {
        var instancePath: String?
        if !instance.value.isEmpty {
            let template = environment["SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE"] ?? ""
            guard !template.isEmpty else {
                throw CommandFailure(
                    " SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE environment variable must be defined when using the instance flag")
            }
            guard template.contains("%i") else {
                throw CommandFailure("failed to find %i in SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE")
            }
            instancePath = template.split(separator: "%i", omittingEmptySubsequences: false)
                .joined(separator: instance.value)
        }
        if socketPath.value != Self.fallback { return SocketPath.absolute(socketPath.value) }
        if let instancePath { return SocketPath.absolute(instancePath) }
        if let path = environment["SPIRE_AGENT_PUBLIC_SOCKET"], !path.isEmpty { return SocketPath.absolute(path) }
        return Self.fallback
    }

    /// Connects for as long as `body` runs.
    func withAgent<Result>(_ console: Console, _ body: (RPCClient) async throws -> Result) async throws -> Result {
        try await Self.withAgent(at: try path(console.environment), body)
    }

    /// Connects to the agent at `path` for as long as `body` runs.
    static func withAgent<Result>(
        at path: String, _ body: (RPCClient) async throws -> Result
    ) async throws -> Result {
        let client = Channels.unix(
            path: SocketPath.dialed(path), group: MultiThreadedEventLoopGroup.singleton)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            // A status may be shown as it is.
            guard var status = error as? RPCStatus else { throw error }
            status.message = status.message.harmless
            throw status
        }
    }

    /// Options of a Workload API call.
    static func options(timeout: Duration?) -> CallOptions {
        CallOptions(timeout: timeout.flatMap { $0 > .zero ? $0 : nil }, metadata: ["workload.spiffe.io": "true"])
    }
}
