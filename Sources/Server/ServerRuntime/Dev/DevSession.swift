// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import NIOCore
import NIOPosix
import RPC
import SPIFFE
import SwiftProtobuf
import Wire

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What development mode does with a running server: attests an agent to it, registers the calling user, shows the
/// first identity, and waits.
struct DevSession: Sendable {
    let folder: TemporaryFolder
    let trustDomain: TrustDomain
    let agentPath: String
    let once: Bool
    let listening: Watch<Endpoints.Addresses?>
    let time: any TimeSource

    static let patience: Duration = .seconds(20)
    static let childPatience: Duration = .seconds(5)

    var socketPath: String { folder.path + "/agent.sock" }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            try await run(on: group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try? await group.shutdownGracefully()
    }

    private func run(on group: any EventLoopGroup) async throws {
        print(
            """
            Development mode: a throw-away server and agent. NOT FOR PRODUCTION: keys are in memory, everything is in
            \(folder.path), and it all goes when this program ends.

            """)
        let addresses = try await started()
        print("Server: trust domain \(trustDomain), agents at \(addresses.tcp), operators at \(addresses.socketPath)")
        let token = try await prepare(addresses, on: group)
        let agent = try startAgent(addresses, token: token)
        do {
            let identity = try await DevIdentity.fetch(
                socketPath: socketPath, trustDomain: trustDomain, on: group, time: time, patience: Self.patience
            ) { guard agent.isRunning else { throw agentDied() } }
            print("Workload API: export SPIFFE_ENDPOINT_SOCKET=unix://\(socketPath)\n")
            try identity.write(to: folder.path)
            identity.show(folder: folder.path)
            if !once {
                print(
                    """

                    Running. In another terminal:

                        \(agentPath) api fetch x509 -socketPath \(socketPath)

                    Ctrl-C ends it and removes everything.
                    """)
                flush()
                while agent.isRunning { try await time.sleep(for: .milliseconds(500)) }
                throw agentDied()
            }
        } catch {
            await agent.stop(patience: Self.childPatience, time: time)
            throw error
        }
        await agent.stop(patience: Self.childPatience, time: time)
        flush()
    }

    private func started() async throws -> Endpoints.Addresses {
        for await addresses in listening.changes() {
            if let addresses { return addresses }
        }
        throw CancellationError()
    }

    /// Does as an operator what an operator would do: a token, an entry, and the bundle the agent starts from.
    private func prepare(_ addresses: Endpoints.Addresses, on group: any EventLoopGroup) async throws -> String {
        let client = Channels.unix(path: addresses.socketPath, group: group)
        do {
            let token = try await prepare(with: client)
            await client.close()
            return token
        } catch {
            await client.close()
            throw error
        }
    }

    private func prepare(with client: RPCClient) async throws -> String {
        let bundle = try await client.unary(BundleMethods.getBundle, .init())
        let pem = bundle.x509Authorities.map { PEMBlock("CERTIFICATE", [UInt8]($0.asn1)).text }.joined()
        try AtomicFile.write(Array(pem.utf8), to: folder.path + "/bootstrap.pem")
        let token = try await client.unary(AgentMethods.createJoinToken, .with { $0.ttl = 600 })
        let user = getuid()
        let result = try await client.unary(
            EntryMethods.batchCreateEntry,
            .with {
                $0.entries = [
                    .with {
                        $0.spiffeID = .with {
                            $0.trustDomain = trustDomain.name
                            $0.path = "/user/\(user)"
                        }
                        $0.parentID = .with {
                            $0.trustDomain = trustDomain.name
                            $0.path = "/spire/agent/join_token/\(token.value)"
                        }
                        $0.selectors = [
                            .with {
                                $0.type = "unix"
                                $0.value = "uid:\(user)"
                            }
                        ]
                    }
                ]
            })
        guard let status = result.results.first?.status, status.code == 0 else {
            throw SpireError(
                .development, "cannot register the calling user: \(result.results.first?.status.message ?? "no answer")")
        }
        print("Registered: processes of user \(user) (selector unix:uid:\(user)) are spiffe://\(trustDomain)/user/\(user)")
        return token.value
    }

    private func startAgent(_ addresses: Endpoints.Addresses, token: String) throws -> ChildProcess {
        let config = """
            agent {
                data_dir = "\(folder.path)/agent"
                log_level = "DEBUG"
                server_address = "127.0.0.1"
                server_port = \(addresses.port)
                socket_path = "\(socketPath)"
                trust_bundle_path = "\(folder.path)/bootstrap.pem"
                trust_domain = "\(trustDomain)"
                join_token = "\(token)"
            }
            plugins {
                NodeAttestor "join_token" { plugin_data {} }
                KeyManager "memory" { plugin_data {} }
                WorkloadAttestor "unix" { plugin_data {} }
            }

            """
        let path = folder.path + "/agent.conf"
        try AtomicFile.write(Array(config.utf8), to: path)
        let child = try ChildProcess.start(
            agentPath, ["run", "-config", path], outputPath: folder.path + "/agent.log")
        print("Agent: attested with a join token, process \(child.pid), Workload API at \(socketPath)")
        flush()
        return child
    }

    private func agentDied() -> SpireError {
        let log = (try? AtomicFile.read(folder.path + "/agent.log", limit: 1 << 20)).flatMap { $0 } ?? []
        let tail = String(decoding: log.suffix(2_000), as: UTF8.self)
        return SpireError(.development, "the agent ended. The end of its log:\n\(tail)")
    }

    private func flush() { _ = fflush(nil) }
}
