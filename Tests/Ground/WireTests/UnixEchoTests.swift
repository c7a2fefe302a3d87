// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import RPC
import SwiftProtobuf
import Testing

@testable import Wire

// One after the other: some keep the event loops they share busy.
@Suite("Calls over a Unix socket", .serialized)
struct UnixEchoTests {
    @Test("unary calls of every size come back", arguments: [0, 1, 16_379, 65_530, 70_000, 3_000_000])
    func unary(_ size: Int) async throws {
        try await UnixEcho.run { echo in
            let now = try await echo.client.unary(Echo.now, message(size))
            let later = try await echo.client.unary(Echo.later, message(size))
            #expect(now == message(size))
            #expect(later == message(size))
        }
    }

    @Test("many calls at once share one connection")
    func concurrent() async throws {
        try await UnixEcho.run { echo in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for index in 0..<500 {
                    tasks.addTask {
                        let request = message(index * 10, UInt8(truncatingIfNeeded: index))
                        let reply = try await echo.client.unary(index % 2 == 0 ? Echo.now : Echo.later, request)
                        #expect(reply == request)
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(echo.server.connectionCount == 1)
        }
    }

    @Test("more large messages than the server would hold at once all get their turn")
    func largeConcurrent() async throws {
        var configuration = RPCServerConfiguration.patient
        configuration.maximumBufferedBytes = 5 << 20
        try await UnixEcho.run(configuration: configuration) { echo in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<20 {
                    tasks.addTask {
                        let reply = try await echo.client.unary(Echo.now, message(2_000_000))
                        #expect(reply.value.count == 2_000_000)
                    }
                }
                try await tasks.waitForAll()
            }
        }
    }

    @Test("streams of all kinds carry everything in order")
    func streams() async throws {
        try await UnixEcho.run { echo in
            let counted = try await echo.client.serverStreaming(Echo.count, Number.with { $0.value = 5000 }) { replies in
                try await replies.reduce(into: [Int64]()) { $0.append($1.value) }
            }
            #expect(counted == Array(0..<5000))
            let sum = try await echo.client.clientStreaming(Echo.sum) { writer in
                for number in 0..<2000 { try await writer.send(Number.with { $0.value = Int64(number) }) }
            }
            #expect(sum.value == 1_999_000)
            let sizes = try await echo.client.bidirectional(Echo.chat) { writer, replies in
                var sizes: [Int] = []
                for size in [0, 5, 200_000, 2_000_000] {
                    try await writer.send(message(size))
                    sizes.append(try await replies.next()?.value.count ?? -1)
                }
                try await writer.finish()
                let end = try await replies.next()
                #expect(end == nil)
                return sizes
            }
            #expect(sizes == [0, 5, 200_000, 2_000_000])
        }
    }

    @Test("a failure arrives with its code, text and details")
    func failures() async throws {
        try await UnixEcho.run { echo in
            let failure = await status { _ = try await echo.client.unary(Echo.fail, Text.with { $0.value = "50 % ö" }) }
            #expect(failure == RPCStatus(.failedPrecondition, "50 % ö", details: [.init(typeURL: "type.googleapis.com/a.B", value: [1])]))
            let unknown = await status { _ = try await echo.client.unary(Echo.missing, Text()) }
            #expect(unknown == RPCStatus(.unimplemented, "unknown method Missing for service test.Echo"))
            let large = await status { _ = try await echo.client.unary(Echo.now, message(5_000_000)) }
            #expect(large?.code == .resourceExhausted)
        }
    }

    @Test("a caller that gives up, by deadline, cancels the handler", .timeLimit(.minutes(5)))
    func deadline() async throws {
        try await UnixEcho.run { echo in
            // On a busy machine a short time may pass before the handler has begun, and then it never does: so the time
            // grows until one did.
            var timeout = Duration.milliseconds(50)
            while echo.seen.begunCount == 0 {
                let late = await status {
                    _ = try await echo.client.unary(Echo.block, Bytes(), options: CallOptions(timeout: timeout))
                }
                #expect(late == RPCStatus(.deadlineExceeded, "context deadline exceeded"))
                timeout = timeout * 2
            }
            await echo.seen.wait(cancelled: 1)
        }
    }

    @Test("a caller that gives up, by cancelling or by leaving, cancels the handler", .timeLimit(.minutes(5)))
    func cancellation() async throws {
        try await UnixEcho.run { echo in
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    let gone = await status { _ = try await echo.client.unary(Echo.block, Bytes()) }
                    #expect(gone?.code == .cancelled)
                }
                await echo.seen.wait(begun: 1)
                tasks.cancelAll()
            }
            await echo.seen.wait(cancelled: 1)

            try await echo.client.serverStreaming(Echo.hang, Number()) { _ = try await $0.next() }
            await echo.seen.wait(cancelled: 2)
        }
    }

    @Test("hundreds of calls given up at once leave the others on their connection alone", .timeLimit(.minutes(5)))
    func manyGivenUp() async throws {
        try await UnixEcho.run { echo in
            try await echo.client.bidirectional(Echo.chat) { writer, replies in
                try await writer.send(message(1))
                _ = try await replies.next()
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<300 {
                        // Most of the messages are on their way when the caller leaves after the first.
                        tasks.addTask {
                            try await echo.client.serverStreaming(Echo.count, Number.with { $0.value = 100 }) {
                                _ = try await $0.next()
                            }
                        }
                    }
                    try await tasks.waitForAll()
                }
                try await writer.send(message(2))
                let reply = try await replies.next()
                #expect(reply == message(2))
            }
            #expect(echo.server.connectionCount == 1)
        }
    }

    @Test("a reader that stops holds the writer back")
    func backPressure() async throws {
        try await UnixEcho.run { echo in
            try await echo.client.serverStreaming(Echo.count, Number.with { $0.value = 10_000_000 }) { replies in
                for number in 0..<10 {
                    let next = try await replies.next()
                    #expect(next?.value == Int64(number))
                }
                var before = -1
                // The count stands still once windows and buffers are full.
                while before != echo.seen.sentCount {
                    before = echo.seen.sentCount
                    for _ in 0..<200 { _ = try await echo.client.unary(Echo.now, Bytes()) }
                }
                #expect(before < 1_000_000)
            }
        }
    }

    @Test("the server knows the calling process")
    func peer() async throws {
        try await UnixEcho.run { echo in
            let who = try await echo.client.unary(Echo.who, Bytes()).value
            #expect(who == "unix \(getpid()) \(getuid()) \(getgid()) true")
        }
    }

    @Test("a new connection is made after the server came back")
    func reconnect() async throws {
        let echo = try await UnixEcho()
        defer { try? FileManager.default.removeItem(atPath: echo.directory) }
        _ = try await echo.client.unary(Echo.now, Bytes())
        await echo.listener.close()
        await echo.server.drain(within: .seconds(1))
        let down = await status { _ = try await echo.client.unary(Echo.now, Bytes()) }
        #expect(down?.code == .unavailable)
        // The call may still have met the connection that was closing; the next one meets nobody.
        let nobody = await status { _ = try await echo.client.unary(Echo.now, Bytes()) }
        #expect(nobody?.message.contains("connect: no such file or directory") == true)
        let again = RPCServer(services: echoTable(echo.seen), configuration: .patient)
        let listener = try await UnixListener.bind(path: echo.path, mode: 0o600, group: UnixEcho.group, server: again)
        do {
            let found = try await echo.client.unary(Echo.now, message(3))
            #expect(found == message(3))
        }
        await echo.client.close()
        let closed = await status { _ = try await echo.client.unary(Echo.now, Bytes()) }
        #expect(closed?.code == .cancelled)
        await listener.close()
        await again.drain(within: .seconds(1))
    }

    @Test("draining lets open calls finish and refuses new ones")
    func drain() async throws {
        let echo = try await UnixEcho()
        defer { try? FileManager.default.removeItem(atPath: echo.directory) }
        try await echo.client.bidirectional(Echo.chat) { writer, replies in
            try await writer.send(message(1))
            do {
                let found = try await replies.next()
                #expect(found == message(1))
            }
            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await echo.server.drain(within: .seconds(600)) }
                await echo.listener.close()
                for _ in 0..<20 { await Task.yield() }
                let still = await status {
                    try await writer.send(message(2))
                    do {
                        let found = try await replies.next()
                        #expect(found == message(2))
                    }
                    try await writer.finish()
                    do {
                        let found = try await replies.next()
                        #expect(found == nil)
                    }
                }
                #expect(still == nil)
                await tasks.waitForAll()
            }
        }
        #expect(echo.server.connectionCount == 0)
        await echo.client.close()
    }

    @Test("calls that outlive the grace of a drain are cut off")
    func drainHard() async throws {
        let echo = try await UnixEcho()
        defer { try? FileManager.default.removeItem(atPath: echo.directory) }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                let cut = await status { _ = try await echo.client.unary(Echo.block, Bytes()) }
                #expect(cut?.code == .unavailable)
            }
            await echo.seen.wait(begun: 1)
            await echo.server.drain(within: .milliseconds(50))
            await echo.seen.wait(cancelled: 1)
            await tasks.waitForAll()
        }
        await echo.client.close()
        await echo.listener.close()
    }

    @Test("connections that reached their age are replaced without a failed call", .timeLimit(.minutes(5)))
    func age() async throws {
        var configuration = RPCServerConfiguration.patient
        configuration.maximumConnectionAge = .milliseconds(5)
        try await UnixEcho.run(configuration: configuration) { echo in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for caller in 0..<8 {
                    tasks.addTask {
                        for number in 0..<150 {
                            let request = message(10, UInt8(truncatingIfNeeded: number))
                            let reply =
                                switch (caller + number) % 3 {
                                case 0: try await echo.client.unary(Echo.later, request)
                                case 1: try await echo.client.unary(Echo.now, request)
                                default:
                                    try await echo.client.bidirectional(Echo.chat) { writer, replies in
                                        try await writer.send(request)
                                        return try await replies.next()
                                    }
                                }
                            #expect(reply == request)
                        }
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(echo.seen.connections > 1)
        }
    }

    @Test("a call still open on an aged connection does not keep the server from stopping", .timeLimit(.minutes(5)))
    func ageThenStop() async throws {
        var configuration = RPCServerConfiguration.patient
        configuration.maximumConnectionAge = .milliseconds(300)
        let echo = try await UnixEcho(configuration: configuration)
        defer { try? FileManager.default.removeItem(atPath: echo.directory) }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                let cut = await status { _ = try await echo.client.unary(Echo.block, Bytes()) }
                #expect(cut?.code == .unavailable)
            }
            await echo.seen.wait(begun: 1)
            // Once calls come on another connection the first has said goodbye.
            while echo.seen.connections < 2 {
                let failure = await status { _ = try await echo.client.unary(Echo.now, Bytes()) }
                guard failure == nil else { break }
            }
            #expect(echo.seen.connections == 2)
            await echo.server.drain(within: .milliseconds(50))
            await tasks.waitForAll()
        }
        await echo.client.close()
        await echo.listener.close()
    }

    @Test("callers that come faster than they are taken in wait for their turn", .timeLimit(.minutes(5)))
    func crowd() async throws {
        let directory = temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        // A queue of two, and nobody takes anybody in until all have knocked.
        let file = try SocketFile(binding: directory + "/s", mode: 0o600)
        listen(file.descriptor, 1)
        let clients = (0..<10).map { _ in Channels.unix(path: file.path, group: UnixEcho.group, configuration: .patient) }
        try await withThrowingTaskGroup(of: Bytes.self) { tasks in
            for client in clients { tasks.addTask { try await client.unary(Echo.now, message(1)) } }
            let server = RPCServer(services: echoTable(Seen()), configuration: .patient)
            let channel = try await ServerBootstrap(group: UnixEcho.group)
                .serverChannelOption(.backlog, value: 1)
                .childChannelInitializer { server.serve(on: $0, peer: PeerIdentity.inProcess) }
                .withBoundSocket(file.descriptor).get()
            for try await reply in tasks { #expect(reply == message(1)) }
            for client in clients { await client.close() }
            try await channel.close().get()
            await server.drain(within: .seconds(1))
        }
    }
}
