// SPDX-License-Identifier: Apache-2.0

import APIProtos
import FoundationEssentials
import Groundwork
import Issuance
import NIOCore
import NIOPosix
import RPC
import SPIFFE
import ServiceLifecycle
import SwiftProtobuf
import Synchronization
import Telemetry
import Wire
import X509

@testable import ServerRuntime

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A complete server on real sockets in a folder of its own, and clients of it.
struct ServerLab: Sendable {
    let trustDomain: TrustDomain
    let parts: ServerParts
    let addresses: Endpoints.Addresses
    let group: any EventLoopGroup
    let folder: TemporaryFolder

    /// An operator's client of the admin socket.
    var admin: RPCClient { Channels.unix(path: addresses.socketPath, group: group) }

    /// A client over TLS, with or without a certificate, that trusts the server whoever it is.
    func remote(_ identity: TLSIdentity? = nil) -> RPCClient {
        Channels.tls(
            host: "127.0.0.1", port: addresses.port, group: group, identity: { identity }, verifyServer: { _ in })
    }

    static func run(
        folder given: TemporaryFolder? = nil, configure: (inout ServerConfig) -> Void = { _ in },
        _ body: @escaping @Sendable (ServerLab) async throws -> Void
    ) async throws {
        let folder = try given ?? TemporaryFolder(prefix: "lab", parent: "/tmp")
        defer { if given == nil { folder.delete() } }
        let trustDomain = try TrustDomain("example.org")
        var config = ServerConfig(trustDomain: trustDomain, dataDir: folder.path + "/data")
        config.bindAddress = "127.0.0.1"
        config.bindPort = 0
        config.socketPath = folder.path + "/private/api.sock"
        config.rateLimit.attestation = false
        configure(&config)
        let plugins = ServerPlugins(
            datastore: .init(databaseType: "sqlite3", connectionString: folder.path + "/datastore.sqlite3"),
            keyManager: .disk(keysPath: folder.path + "/keys.json"), nodeAttestors: ["join_token"])
        let null = open("/dev/null", O_WRONLY)
        let log = LogSystem(LogSettings(level: .info), descriptor: null)
        let parts = try await Composition.build(
            config, plugins: plugins, log: log, time: SystemTime(), random: SystemRandom())
        let services = Server(parts).group(signals: [])
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result = await withTaskGroup(of: Result<Void, any Error>.self) { tasks in
            tasks.addTask {
                do { return .success(try await services.run()) } catch { return .failure(error) }
            }
            tasks.addTask {
                var result: Result<Void, any Error> = .success(())
                do {
                    for await addresses in parts.endpoints.listening.changes() {
                        guard let addresses else { continue }
                        try await body(
                            ServerLab(
                                trustDomain: trustDomain, parts: parts, addresses: addresses, group: group,
                                folder: folder))
                        break
                    }
                } catch {
                    result = .failure(error)
                }
                await services.triggerGracefulShutdown()
                return result
            }
            var first: Result<Void, any Error> = .success(())
            while let next = await tasks.next() {
                if case .failure = next, case .success = first { first = next }
                if case .failure = next { tasks.cancelAll() }
            }
            return first
        }
        await parts.close()
        try? await group.shutdownGracefully()
        close(null)
        try result.get()
    }

    /// Attests with a new join token. - Returns: who the agent now is.
    func attest(token: String? = nil) async throws -> AttestedAgent {
        let admin = admin
        let value: String
        if let token {
            value = token
        } else {
            value = try await admin.unary(AgentMethods.createJoinToken, .with { $0.ttl = 60 }).value
        }
        await admin.close()
        let key = try LocalKey.generate(.ecP256)
        let csr = try CSR.make(key: key, uri: nil, dnsNames: [])
        let client = remote()
        do {
            let svid = try await client.bidirectional(AgentMethods.attestAgent) { requests, responses in
                try await requests.send(
                    .with {
                        $0.params.data.type = "join_token"
                        $0.params.data.payload = Data(value.utf8)
                        $0.params.params.csr = Data(csr)
                    })
                let response = try await responses.next()
                try await requests.finish()
                while try await responses.next() != nil {}
                return response?.result.svid
            }
            await client.close()
            guard let svid else { throw RPCStatus(.internal, "no result") }
            return AttestedAgent(
                id: "spiffe://\(svid.id.trustDomain)\(svid.id.path)", path: svid.id.path,
                identity: TLSIdentity(chain: svid.certChain.map { [UInt8]($0) }, key: .local(pkcs8: key.pkcs8)))
        } catch {
            await client.close()
            throw error
        }
    }

    /// Creates an entry below `parent`. - Returns: its id.
    func entry(_ path: String, parent: String, admin isAdmin: Bool = false) async throws -> String {
        let admin = admin
        let response = try await admin.unary(
            EntryMethods.batchCreateEntry,
            .with {
                $0.entries = [
                    .with {
                        $0.spiffeID.trustDomain = "example.org"
                        $0.spiffeID.path = path
                        $0.parentID.trustDomain = "example.org"
                        $0.parentID.path = parent
                        $0.admin = isAdmin
                        $0.selectors = [.with { $0.type = "unix"; $0.value = "uid:0" }]
                    }
                ]
            })
        await admin.close()
        guard let result = response.results.first, result.status.code == 0 else {
            throw RPCStatus(.internal, "cannot create entry")
        }
        return result.entry.id
    }
}

struct AttestedAgent: Sendable {
    let id: String
    let path: String
    let identity: TLSIdentity
}

/// The status a call was refused with.
func refusal(_ body: () async throws -> Void) async -> RPCStatus? {
    do {
        try await body()
        return nil
    } catch let status as RPCStatus {
        return status
    } catch {
        return RPCStatus(.unknown, "\(error)")
    }
}
