// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RPC
import Wire
import WorkloadProtos

/// Callers of the Workload API.
struct WorkloadLoad: Sendable {
    let options: LoadOptions
    let group: any EventLoopGroup
    let call = CallOptions(timeout: .seconds(60), metadata: ["workload.spiffe.io": "true"])

    init(_ options: LoadOptions, _ group: any EventLoopGroup) {
        self.options = options
        self.group = group
    }

    private func client() -> RPCClient { Channels.unix(path: options.socket, group: group) }

    /// The first message of a stream, then the stream is cancelled, as a program that starts does.
    func fetchX509() async throws {
        try await Meter.run(options) { _ in
            let kept = client()
            return {
                let client = options.fresh ? self.client() : kept
                try await client.serverStreaming(WorkloadAPIMethods.fetchX509SVID, Workload_X509SVIDRequest(), options: call) {
                    guard let first = try await $0.next(), !first.svids.isEmpty else {
                        throw RPCStatus(.internal, "an answer without an identity")
                    }
                }
                if options.fresh { await client.close() }
            }
        }
    }

    func fetchJWT() async throws {
        var request = Workload_JWTSVIDRequest()
        request.audience = ["bench"]
        let wanted = request
        try await Meter.run(options) { _ in
            let kept = client()
            return {
                let client = options.fresh ? self.client() : kept
                let answer = try await client.unary(WorkloadAPIMethods.fetchJWTSVID, wanted, options: call)
                guard !answer.svids.isEmpty else { throw RPCStatus(.internal, "an answer without a token") }
                if options.fresh { await client.close() }
            }
        }
    }

    /// Opens `count` streams at once, each on its own connection, waits until all are answered and keeps them open.
    func openStreams() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let (answered, line) = AsyncStream<Duration>.makeStream()
        await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<options.count {
                tasks.addTask {
                    try await client().serverStreaming(
                        WorkloadAPIMethods.fetchX509SVID, Workload_X509SVIDRequest(),
                        options: CallOptions(metadata: ["workload.spiffe.io": "true"])
                    ) { stream in
                        _ = try await stream.next()
                        line.yield(clock.now - start)
                        while try await stream.next() != nil {}
                    }
                }
            }
            var times: [Duration] = []
            for await time in answered {
                times.append(time)
                if times.count == options.count { break }
            }
            Meter.report(times, seconds: Meter.seconds(times.max() ?? .zero), unit: "streams")
            // All of them stay open until whoever measures has seen enough.
            if options.hold { while readLine() != nil {} }
            tasks.cancelAll()
            while let _ = await tasks.nextResult() {}
        }
    }
}
