// SPDX-License-Identifier: Apache-2.0

import SPIFFE
import Synchronization

/// A value that comes later and changes: readers take the newest, followers are woken. Nothing queues.
final class LatestValue<Value: Sendable>: Sendable {
    enum Content {
        /// Nothing yet, and why not if something went wrong.
        case none((any Error)?)
        case value(Value)
    }

    private struct State {
        var content = Content.none(nil)
        var version: UInt64 = 0
        /// Set once and for good.
        var end: (any Error)?
        var nextTicket: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    func set(_ value: Value) {
        change { state in
            state.content = .value(value)
            state.version += 1
        }
    }

    /// Takes the value back.
    func withdraw(_ reason: any Error) {
        change { $0.content = .none(reason) }
    }

    /// Remembers what went wrong while there is no value to show for it.
    func note(_ failure: any Error) {
        change { state in
            if case .none = state.content { state.content = .none(failure) }
        }
    }

    /// Nothing will come any more: readers and followers get `error`.
    func end(_ error: any Error) {
        change { state in
            if state.end == nil { state.end = error }
        }
    }

    /// The newest value.
    /// - Throws: what ended or keeps it away; `workload_api` when nothing has been received yet.
    func current() throws -> Value {
        try state.withLock { state in
            if let end = state.end { throw end }
            switch state.content {
            case .value(let value): return value
            case .none(let failure?): throw failure
            case .none(nil): throw SPIFFEError(.workloadAPI, "nothing has been received from the Workload API yet")
            }
        }
    }

    /// Waits for a value, whatever goes wrong meanwhile.
    /// - Throws: what ended it, or `CancellationError`.
    func first() async throws {
        _ = try await newer(than: 0)
    }

    /// The newest value once it is newer than `seen`.
    func newer(than seen: UInt64) async throws -> (value: Value, version: UInt64) {
        while true {
            try Task.checkCancellation()
            let found: (Value, UInt64)? = try state.withLock { state in
                if let end = state.end { throw end }
                guard case .value(let value) = state.content, state.version > seen else { return nil }
                return (value, state.version)
            }
            if let found { return found }
            await wait(past: seen)
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let woken = state.withLock { state in
            body(&state)
            let woken = Array(state.waiters.values)
            state.waiters.removeAll()
            return woken
        }
        for waiter in woken { waiter.resume() }
    }

    private func wait(past seen: UInt64) async {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if case .value = state.content, state.version > seen { return true }
                    if state.end != nil || Task.isCancelled { return true }
                    state.waiters[ticket] = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume()
        }
    }
}

/// The values of a source from now on: the current one at once, then the newest after each change. Slow readers skip
/// what they missed. Ends when the source is closed or the task cancelled.
public struct SourceUpdates<Element: Sendable>: AsyncSequence, Sendable {
    let latest: LatestValue<Element>

    public func makeAsyncIterator() -> Iterator { Iterator(latest: latest) }

    /// Follows one source. Iterators are independent of one another.
    public struct Iterator: AsyncIteratorProtocol {
        let latest: LatestValue<Element>
        var seen: UInt64 = 0

        public mutating func next() async -> Element? {
            guard let (value, version) = try? await latest.newer(than: seen) else { return nil }
            seen = version
            return value
        }
    }
}
