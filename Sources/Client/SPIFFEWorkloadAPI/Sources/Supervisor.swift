// SPDX-License-Identifier: Apache-2.0

import SPIFFE
import Synchronization

/// Follows a stream for as long as its task lives, and starts it again when it ends.
struct Supervisor: Sendable {
    let timing: SourceTiming

    /// - Parameters:
    ///   - follow: One stream from its start to its end.
    ///   - ended: Told of each end before the wait.
    /// - Throws: the failure that makes further attempts useless, or `CancellationError`.
    func run<Value: Sendable>(
        _ follow: ((Value) async throws -> Void) async throws -> Void,
        update: @escaping @Sendable (Value) -> Void, ended: @escaping @Sendable (any Error) -> Void
    ) async throws {
        var reconnection = Reconnection()
        while true {
            try Task.checkCancellation()
            let start = timing.uptime()
            var updates = 0
            let failure: any Error
            do {
                try await follow { value in
                    updates += 1
                    update(value)
                }
                failure = SPIFFEError(.workloadAPI, "the Workload API ended the stream")
            } catch {
                failure = error
            }
            try Task.checkCancellation()
            ended(failure)
            let lived = updates > 0 ? timing.uptime() - start : nil
            switch reconnection.streamEnded(failure, lived: lived, chance: timing.chance()) {
            case .giveUp: throw failure
            case .retry(let wait): if wait > .zero { try await timing.sleep(wait) }
            }
        }
    }
}
