// SPDX-License-Identifier: Apache-2.0

import CLISupport
import NIOPosix
import RPC
import Wire

/// The flags that say which server a command talks to.
struct ServerConnectionFlags {
    static let fallback = "/tmp/spire-server/private/api.sock"
    private let socketPath: Flag<String>
    private let instance: Flag<String>

    init(_ flags: FlagSet) {
        socketPath = flags.string("socketPath", Self.fallback, "Path to the SPIRE Server API socket")
        instance = flags.string(
            "instance", "",
            "Instance name to substitute into socket templates (env SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE).")
    }

    /// Decides the path: the flag, then the instance's template, then the environment, then the default.
    func path(_ environment: [String: String]) throws -> String {
        var instancePath: String?
        if !instance.value.isEmpty {
            let template = environment["SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE"] ?? ""
            guard !template.isEmpty else {
                throw CommandFailure("you must define SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE to use the instance flag")
            }
            guard template.contains("%i") else {
                throw CommandFailure("failed to find %i in SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE")
            }
            instancePath = template.split(separator: "%i", omittingEmptySubsequences: false)
                .joined(separator: instance.value)
        }
        if socketPath.value != Self.fallback { return SocketPath.absolute(socketPath.value) }
        if let instancePath { return SocketPath.absolute(instancePath) }
        if let path = environment["SPIRE_SERVER_PRIVATE_SOCKET"], !path.isEmpty { return SocketPath.absolute(path) }
        return Self.fallback
    }

    /// Connects for as long as `body` runs.
    func withServer<Result>(_ console: Console, _ body: (RPCClient) async throws -> Result) async throws -> Result {
        var configuration = RPCClientConfiguration()
        // The operator's own server may answer with as much as it holds.
        configuration.maximumMessageSize = 1 << 30
        let client = Channels.unix(
            path: SocketPath.dialed(try path(console.environment)), group: MultiThreadedEventLoopGroup.singleton,
            configuration: configuration)
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
}
