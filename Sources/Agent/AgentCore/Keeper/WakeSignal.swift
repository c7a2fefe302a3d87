// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import Synchronization

/// Wakes one loop. Raising it twice before the loop looks is raising it once.
package final class WakeSignal: Sendable {
    private struct State {
        var isRaised = false
        var waiter: CheckedContinuation<Bool, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    package func raise() {
        state.withLock { state in
            let waiter = state.waiter
            state.waiter = nil
            if waiter == nil { state.isRaised = true }
            return waiter
        }?.resume(returning: true)
    }

    /// Takes a raise that is already there.
    package func take() -> Bool {
        state.withLock { state in
            defer { state.isRaised = false }
            return state.isRaised
        }
    }

    /// Waits for a raise, and takes it. One waiter at a time.
    /// - Returns: false when the task was cancelled first.
    @discardableResult
    package func wait() async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Bool? in
                    if state.isRaised {
                        state.isRaised = false
                        return true
                    }
                    if Task.isCancelled { return false }
                    state.waiter = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            state.withLock { state in
                let waiter = state.waiter
                state.waiter = nil
                return waiter
            }?.resume(returning: false)
        }
    }

    /// Waits for a raise, but no longer than `limit`.
    /// - Returns: whether it was raised.
    /// - Throws: `CancellationError`.
    package func wait(atMost limit: Duration, on time: any TimeSource) async throws -> Bool {
        if take() { return true }
        let raised = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                try? await time.sleep(for: limit)
                return false
            }
            group.addTask { await self.wait() }
            var raised = await group.next() ?? false
            group.cancelAll()
            // Both may have happened: a raise that was taken must not get lost.
            for await other in group where other { raised = true }
            return raised
        }
        try Task.checkCancellation()
        return raised
    }
}
