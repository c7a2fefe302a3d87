// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import RPC
import SwiftProtobuf
import Testing
import Wire

@Suite("Calls over a Unix socket")
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
        var configuration = RPCServerConfiguration()
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

    @Test(
        "a caller that gives up, by cancelling, by deadline or by leaving, cancels the handler",
        .enabled(if: ProcessInfo.processInfo.environment["SPIRE_SLOW_TESTS"] != nil), .timeLimit(.minutes(1)))
    func cancellation() async throws {
        try await UnixEcho.run { echo in
            // Connected before the clock starts, so that the handler begins in time.
            _ = try await echo.client.unary(Echo.now, Bytes())
            let late = await status {
                _ = try await echo.client.unary(Echo.block, Bytes(), options: CallOptions(timeout: .seconds(1)))
            }
            #expect(late == RPCStatus(.deadlineExceeded, "context deadline exceeded"))
            await echo.seen.wait(cancelled: 1)

            await withTaskGroup(of: Void.self) { tasks in
                tasks.addTask {
                    let gone = await status { _ = try await echo.client.unary(Echo.block, Bytes()) }
                    #expect(gone?.code == .cancelled)
                }
                await echo.seen.wait(begun: 2)
                tasks.cancelAll()
            }
            await echo.seen.wait(cancelled: 2)

            try await echo.client.serverStreaming(Echo.hang, Number()) { _ = try await $0.next() }
            await echo.seen.wait(cancelled: 3)
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
        let again = RPCServer(services: echoTable(echo.seen))
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
                tasks.addTask { await echo.server.drain(within: .seconds(30)) }
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

    @Test("connections that reached their age are replaced without a failed call")
    func age() async throws {
        var configuration = RPCServerConfiguration()
        configuration.maximumConnectionAge = .milliseconds(100)
        try await UnixEcho.run(configuration: configuration) { echo in
            let end = ContinuousClock.now + .seconds(2)
            await withKnownIssue("a call sent while the server closes may fail as Unavailable", isIntermittent: true) {
                while ContinuousClock.now < end { _ = try await echo.client.unary(Echo.later, message(10)) }
            }
        }
    }
}
