// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import RPC
import SwiftProtobuf
import Synchronization
import Wire

typealias Bytes = Google_Protobuf_BytesValue
typealias Text = Google_Protobuf_StringValue
typealias Number = Google_Protobuf_Int64Value

enum Echo {
    static let now = UnaryMethod<Bytes, Bytes>("test.Echo", "Now")
    static let later = UnaryMethod<Bytes, Bytes>("test.Echo", "Later")
    static let who = UnaryMethod<Bytes, Text>("test.Echo", "Who")
    static let block = UnaryMethod<Bytes, Bytes>("test.Echo", "Block")
    static let fail = UnaryMethod<Text, Bytes>("test.Echo", "Fail")
    static let missing = UnaryMethod<Text, Bytes>("test.Echo", "Missing")
    static let count = ServerStreamingMethod<Number, Number>("test.Echo", "Count")
    static let hang = ServerStreamingMethod<Number, Number>("test.Echo", "Hang")
    static let sum = ClientStreamingMethod<Number, Number>("test.Echo", "Sum")
    static let chat = BidirectionalMethod<Bytes, Bytes>("test.Echo", "Chat")
}

/// What the handlers of the echo service saw.
final class Seen: Sendable {
    private let state = Mutex<(begun: Int, cancelled: Int, waiting: [(Int, CheckedContinuation<Void, Never>)])>((0, 0, []))
    private let sent = Atomic<Int>(0)

    private let peers = Mutex<Set<ObjectIdentifier>>([])

    var sentCount: Int { sent.load(ordering: .relaxed) }
    var begunCount: Int { state.withLock { $0.begun } }
    /// From how many connections calls of `Now` and `Later` came.
    var connections: Int { peers.withLock { $0.count } }
    func count(_ peer: PeerIdentity) {
        if case .unix(let process as ConnectedProcess) = peer { peers.withLock { _ = $0.insert(ObjectIdentifier(process)) } }
    }
    func countSent() { sent.add(1, ordering: .relaxed) }

    /// A handler that waits until it is cancelled.
    func hang() async throws {
        change { $0.begun += 1 }
        let (never, end) = AsyncStream<Void>.makeStream()
        for await _ in never {}
        end.finish()
        change { $0.cancelled += 1 }
        throw CancellationError()
    }

    /// Waits until so many handlers have begun and been cancelled.
    func wait(begun: Int = 0, cancelled: Int = 0) async {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                if state.begun >= begun, state.cancelled >= cancelled { return true }
                state.waiting.append((begun << 20 | cancelled, continuation))
                return false
            }
            if ready { continuation.resume() }
        }
    }

    private func change(_ body: (inout (begun: Int, cancelled: Int)) -> Void) {
        let ready = state.withLock { state in
            var counts = (begun: state.begun, cancelled: state.cancelled)
            body(&counts)
            (state.begun, state.cancelled) = counts
            let ready = state.waiting.filter { counts.begun >= $0.0 >> 20 && counts.cancelled >= $0.0 & 0xfffff }
            state.waiting.removeAll { counts.begun >= $0.0 >> 20 && counts.cancelled >= $0.0 & 0xfffff }
            return ready
        }
        for (_, continuation) in ready { continuation.resume() }
    }
}

func echoTable(_ seen: Seen) -> ServiceTable {
    var table = ServiceTable()
    table.immediate(Echo.now) { request, context in
        seen.count(context.peerIdentity)
        return request
    }
    table.unary(Echo.later) { request, context in
        seen.count(context.peerIdentity)
        await Task.yield()
        return request
    }
    table.immediate(Echo.who) { _, context in
        Text.with {
            switch context.peerIdentity {
            case .unix(let process): $0.value = "unix \(process.pid) \(process.uid) \(process.gid) \(process.isAlive)"
            case .mutualTLS(_, let id, _): $0.value = "tls \(id)"
            case .tlsAnonymous: $0.value = "anonymous"
            case .inProcess: $0.value = "in process"
            }
        }
    }
    table.unary(Echo.block) { request, _ in
        try await seen.hang()
        return request
    }
    table.immediate(Echo.fail) { request, _ in
        throw RPCStatus(.failedPrecondition, request.value, details: [.init(typeURL: "type.googleapis.com/a.B", value: [1])])
    }
    table.serverStreaming(Echo.count) { request, writer, _ in
        for number in 0..<request.value {
            try await writer.send(Number.with { $0.value = number })
            seen.countSent()
        }
    }
    table.serverStreaming(Echo.hang) { request, writer, _ in
        try await writer.send(request)
        try await seen.hang()
    }
    table.clientStreaming(Echo.sum) { requests, _ in
        var total = Number()
        for try await number in requests { total.value += number.value }
        return total
    }
    table.bidirectional(Echo.chat) { requests, writer, _ in
        for try await bytes in requests { try await writer.send(bytes) }
    }
    return table
}

// Times that only matter when something is broken are longer than any busy machine needs.
extension RPCServerConfiguration {
    static var patient: RPCServerConfiguration {
        var configuration = RPCServerConfiguration()
        configuration.prefaceTimeout = .minutes(10)
        return configuration
    }
}

extension RPCClientConfiguration {
    static var patient: RPCClientConfiguration {
        var configuration = RPCClientConfiguration()
        configuration.connectTimeout = .minutes(10)
        return configuration
    }
}

/// An echo server on a Unix socket in a directory of its own, and a client of it.
struct UnixEcho: Sendable {
    let seen = Seen()
    let directory: String
    let path: String
    let server: RPCServer
    let listener: UnixListener
    let client: RPCClient

    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)

    init(configuration: RPCServerConfiguration = .patient) async throws {
        directory = temporaryDirectory()
        path = directory + "/deep/er/echo.sock"
        server = RPCServer(
            services: echoTable(seen), configuration: configuration, errorMapper: { RPCStatus(mapping: $0) })
        listener = try await UnixListener.bind(path: path, mode: 0o640, group: Self.group, server: server)
        client = Channels.unix(path: path, group: Self.group, configuration: .patient)
    }

    static func run(
        configuration: RPCServerConfiguration = .patient, _ body: (UnixEcho) async throws -> Void
    ) async throws {
        let echo = try await UnixEcho(configuration: configuration)
        let result: Result<Void, any Error>
        do { result = .success(try await body(echo)) } catch { result = .failure(error) }
        await echo.client.close()
        await echo.listener.close()
        await echo.server.drain(within: .seconds(1))
        try? FileManager.default.removeItem(atPath: echo.directory)
        try result.get()
    }
}

func temporaryDirectory() -> String {
    let path = "/tmp/wire-\(UUID().uuidString.prefix(8))"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
}

func message(_ count: Int, _ byte: UInt8 = 7) -> Bytes {
    Bytes.with { $0.value = Data(repeating: byte, count: count) }
}

/// The status `body` fails with; `nil` when it does not.
func status(_ body: () async throws -> Void) async -> RPCStatus? {
    do {
        try await body()
        return nil
    } catch {
        return error as? RPCStatus ?? RPCStatus(.dataLoss, "not a status: \(error)")
    }
}

func code(_ body: () async throws -> Void) async -> StatusCode? { await status(body)?.code }
