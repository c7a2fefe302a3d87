// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A value many tasks follow: each follower gets the current value at once and then the newest one after each change.
/// Slow followers skip what they missed; nothing queues.
package final class Watch<Value: Sendable>: Sendable {
    private struct State {
        var value: Value
        var version: UInt64 = 1
        var closed = false
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let state: Mutex<State>

    package init(_ initial: Value) {
        state = Mutex(State(value: initial))
    }

    /// The current value.
    package var value: Value { state.withLock { $0.value } }

    /// Replaces the value and wakes every follower.
    package func set(_ value: Value) {
        update { $0 = value }
    }

    /// Changes the value in place and wakes every follower. `change` runs under the lock: keep it short.
    @discardableResult
    package func update<Result>(_ change: (inout Value) -> sending Result) -> sending Result {
        let (result, woken) = state.withLock { state in
            let result = change(&state.value)
            state.version += 1
            let woken = Array(state.waiters.values)
            state.waiters.removeAll()
            return (result, woken)
        }
        for waiter in woken { waiter.resume() }
        return result
    }

    /// Ends every follower's sequence after the value it still has to see.
    package func close() {
        let woken = state.withLock { state in
            state.closed = true
            let woken = Array(state.waiters.values)
            state.waiters.removeAll()
            return woken
        }
        for waiter in woken { waiter.resume() }
    }

    /// The current value and then every newest value, until `close()` or cancellation.
    package func changes() -> Changes { Changes(watch: self) }

    /// Follows one watch. Iterators are independent.
    package struct Changes: AsyncSequence, Sendable {
        package typealias Element = Value
        let watch: Watch<Value>

        package func makeAsyncIterator() -> Iterator { Iterator(watch: watch) }

        package struct Iterator: AsyncIteratorProtocol {
            let watch: Watch<Value>
            var seen: UInt64 = 0

            /// Returns the newest unseen value, waiting for one; `nil` once closed or cancelled.
            package mutating func next() async -> Value? {
                while !Task.isCancelled {
                    let now: (Value, UInt64)? = watch.newer(than: seen)
                    if let (value, version) = now {
                        seen = version
                        return value
                    }
                    if watch.state.withLock({ $0.closed }) { return nil }
                    await watch.wait(past: seen)
                }
                return nil
            }
        }
    }

    private func newer(than seen: UInt64) -> (Value, UInt64)? {
        state.withLock { $0.version > seen ? ($0.value, $0.version) : nil }
    }

    private func wait(past seen: UInt64) async {
        let ticket = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    if state.version > seen || state.closed || Task.isCancelled { return true }
                    state.waiters[ticket] = continuation
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }
}
