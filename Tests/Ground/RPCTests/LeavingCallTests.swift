// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOPosix
import SwiftProtobuf
import Synchronization
import Testing

@testable import RPC

@Suite("A call whose server wants the connection to end")
struct LeavingCallTests {
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// A server that sends its name and then nothing for as long as it may.
    private func server(_ name: String) async throws -> (server: RPCServer, channel: any Channel) {
        var table = ServiceTable()
        table.serverStreaming(EmbeddedServer.follow) { request, writer, _ in
            try await writer.send(Bytes.with { $0.value = .init(name.utf8) })
            let (events, source) = AsyncStream<Never>.makeStream()
            for await _ in events {}
            source.finish()
        }
        var configuration = RPCServerConfiguration()
        configuration.streamingGrace = .seconds(600)
        let server = RPCServer(services: table, configuration: configuration)
        let channel = try await ServerBootstrap(group: Self.group)
            .childChannelInitializer { server.serve(on: $0, peer: "test") }
            .bind(host: "127.0.0.1", port: 0).get()
        return (server, channel)
    }

    @Test("a client that is to be replaced takes no more calls, and its open ones go on", .timeLimit(.minutes(5)))
    func retired() async throws {
        let (server, channel) = try await server("one")
        let address = try #require(channel.localAddress)
        let client = RPCClient(group: Self.group) { ClientBootstrap(group: $0).connect(to: address) }
        try await client.serverStreaming(EmbeddedServer.follow, Bytes()) { first in
            client.retire()
            let name = try await first.next()?.value
            #expect(name == .init("one".utf8))
            await #expect(throws: RPCStatus(.cancelled, "grpc: the client connection is closing")) {
                try await client.connect(timeout: .seconds(60))
            }
            #expect(server.connectionCount == 1)
        }
        // By itself the connection would last: its client ends it.
        while server.connectionCount > 0 { await Task.yield() }
        // One that has no calls is gone at once.
        client.retire()
        await client.close()
        try await channel.close().get()
        await server.drain(within: .seconds(1))
    }

    @Test("is told so once, goes on, and another connection can be made meanwhile", .timeLimit(.minutes(5)))
    func leaving() async throws {
        let (old, oldChannel) = try await server("old")
        let (new, newChannel) = try await server("new")
        let addresses = try [oldChannel, newChannel].map { try #require($0.localAddress) }
        let connections = Mutex(0)
        let client = RPCClient(group: Self.group) { loop in
            let number = connections.withLock { count in
                count += 1
                return count
            }
            return ClientBootstrap(group: loop).connect(to: addresses[min(number, 2) - 1])
        }
        let asked = Mutex(0)
        let (goodbyes, source) = AsyncStream<Void>.makeStream()
        var options = CallOptions()
        options.leaving = {
            asked.withLock { $0 += 1 }
            source.yield()
        }
        let chosen = options
        let drained = try await withThrowingTaskGroup(of: Void.self) { tasks in
            try await client.serverStreaming(EmbeddedServer.follow, Bytes(), options: chosen) { first in
                let name = try await first.next()?.value
                #expect(name == .init("old".utf8))
                tasks.addTask { await old.drain(within: .seconds(600)) }
                for await _ in goodbyes { break }
                try await client.connect(timeout: .seconds(60))
                try await client.connect(timeout: .seconds(60))
                #expect(connections.withLock { $0 } == 2)
                #expect(old.connectionCount == 1)
                try await client.serverStreaming(EmbeddedServer.follow, Bytes()) { second in
                    let name = try await second.next()?.value
                    #expect(name == .init("new".utf8))
                }
                #expect(new.connectionCount == 1)
            }
            // Its last call is over: the old server need not wait for the time it gave.
            try await tasks.waitForAll()
            return old.connectionCount
        }
        #expect(drained == 0)
        #expect(asked.withLock { $0 } == 1)
        await client.close()
        for channel in [oldChannel, newChannel] { try await channel.close().get() }
        await new.drain(within: .seconds(1))
    }
}
