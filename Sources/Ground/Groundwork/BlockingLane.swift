// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Synchronization

/// A bounded set of threads for calls that block (databases, file syncs, `/proc` walks), so that they never stand on
/// the cooperative pool.
package final class BlockingLane: Sendable {
    private struct State {
        var running = 0
        var pending: [@Sendable () -> Void] = []
        var head = 0
    }

    private let width: Int
    private let queue: DispatchQueue
    private let state = Mutex(State())

    /// - Parameter width: Most calls that run at once; further ones wait in order.
    package init(_ label: String, width: Int) {
        self.width = max(1, width)
        self.queue = DispatchQueue(label: "spire." + label, attributes: .concurrent)
    }

    /// Runs `body` on one of the lane's threads. Cancellation does not interrupt a call that has begun.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try Task.checkCancellation()
        return try await withCheckedThrowingContinuation { continuation in
            submit { continuation.resume(with: Swift.Result(catching: body)) }
        }
    }

    /// Runs `job` on one of the threads, without anybody waiting for it. Accepted work is always run.
    package func submit(_ job: @escaping @Sendable () -> Void) {
        let start = state.withLock { state in
            state.pending.append(job)
            guard state.running < width else { return false }
            state.running += 1
            return true
        }
        if start { queue.async { self.drain() } }
    }

    private func drain() {
        while true {
            let job: (@Sendable () -> Void)? = state.withLock { state in
                guard state.head < state.pending.count else {
                    state.pending.removeAll(keepingCapacity: true)
                    state.head = 0
                    state.running -= 1
                    return nil
                }
                let job = state.pending[state.head]
                state.pending[state.head] = {}
                state.head += 1
                if state.head > 1024, state.head * 2 > state.pending.count {
                    state.pending.removeFirst(state.head)
                    state.head = 0
                }
                return job
            }
            guard let job else { return }
            job()
        }
    }
}
