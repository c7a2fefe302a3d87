// SPDX-License-Identifier: Apache-2.0

import CLISupport
import FoundationEssentials
import Groundwork
import RPC
import UnixSignals
import WorkloadProtos

struct WatchCommand: Command {
    static let name = "api watch"
    static let usageName = "watch"
    static let synopsis = "Attaches to the Workload API and prints updates as they're received"
    static let repeatsFlagErrors = true
    private let connection: WorkloadConnectionFlags

    init(_ flags: FlagSet) { connection = WorkloadConnectionFlags(flags) }

    /// Goes on until the process is interrupted, which is its failure as in the original; connects again after every
    /// failure but a wrong request.
    func run(_ console: Console) async throws {
        let path = try connection.path(console.environment)
        let interruptions = await UnixSignalsSequence(trapping: .sigint)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Self.follow(path, console) }
            group.addTask {
                for await _ in interruptions { throw CommandFailure("context canceled") }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static func follow(_ path: String, _ console: Console) async throws {
        let time = SystemTime()
        var since = time.uptime
        var backoff = Backoff(first: .seconds(1), cap: .seconds(30))
        while true {
            do {
                try await WorkloadConnectionFlags.withAgent(at: path) { client in
                    try await client.serverStreaming(
                        WorkloadAPIMethods.fetchX509SVID, .init(), options: WorkloadConnectionFlags.options(timeout: nil)
                    ) { stream in
                        while let response = try await stream.next() {
                            let update = try X509Update(response, now: time.now)
                            console.out(update.text(elapsed: time.uptime - since, hints: false, bareNames: true))
                            since = time.uptime
                            backoff.reset()
                        }
                    }
                }
            } catch let status as RPCStatus where status.code == .invalidArgument {
                throw status
            } catch {
                try Task.checkCancellation()
                console.err(error.harmless + "\n")
            }
            try await time.sleep(for: backoff.next(SystemRandom()))
        }
    }
}
