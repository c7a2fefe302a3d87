// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import RPC
import SwiftProtobuf
import Wire

/// A closed-loop load: as many callers as streams, each making its next call when the last one has answered.
struct Load {
    let path: String
    let calls: Int
    let streams: Int
    let connections: Int
    let mode: String

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let request = Bytes.with { $0.value = .init(repeating: 7, count: 64) }
        let method = mode == "unary" ? EchoMethods.unary : EchoMethods.now
        let each = max(1, calls / (streams * connections))
        let clock = ContinuousClock()
        let started = clock.now
        let latencies = try await withThrowingTaskGroup(of: [Duration].self) { tasks in
            for _ in 0..<connections {
                let shared = Channels.unix(path: path, group: group)
                for _ in 0..<streams {
                    tasks.addTask {
                        var times: [Duration] = []
                        times.reserveCapacity(each)
                        for _ in 0..<each {
                            let begin = clock.now
                            if mode == "fresh" {
                                let client = Channels.unix(path: path, group: group)
                                _ = try await client.unary(method, request)
                                await client.close()
                            } else {
                                _ = try await shared.unary(method, request)
                            }
                            times.append(clock.now - begin)
                        }
                        return times
                    }
                }
            }
            return try await tasks.reduce(into: []) { $0 += $1 }
        }
        let elapsed = clock.now - started
        let sorted = latencies.sorted()
        let rate = Double(sorted.count) / (elapsed / .seconds(1))
        func micro(_ share: Double) -> Int { Int(sorted[Int(Double(sorted.count - 1) * share)] / .microseconds(1)) }
        print("calls \(sorted.count)  rate \(Int(rate))/s  p50 \(micro(0.5)) µs  p99 \(micro(0.99)) µs")
    }

    /// Opens server streams and keeps them open, to see what an idle one costs the server.
    static func hold(path: String, streams: Int, perConnection: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            var client = Channels.unix(path: path, group: group)
            for index in 0..<streams {
                if index % perConnection == 0 { client = Channels.unix(path: path, group: group) }
                let client = client
                tasks.addTask {
                    try await client.serverStreaming(EchoMethods.count, Number()) { responses in
                        _ = try await responses.next()
                        if index == streams - 1 { print("all open") }
                        _ = try await responses.next()
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }
}
