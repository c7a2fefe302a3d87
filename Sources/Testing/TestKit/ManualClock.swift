// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials
import Groundwork
import Synchronization

/// A clock that stands still until told to move. Sleepers wake in order of their deadlines.
package final class ManualClock: TimeSource {
    private struct Sleeper {
        let id: UInt64
        let deadline: Duration
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var start: Date
        var elapsed: Duration = .zero
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: Mutex<State>

    /// - Parameter start: The wall clock's first reading.
    package init(_ start: Date = Date(timeIntervalSince1970: 1_800_000_000)) {
        state = Mutex(State(start: start))
    }

    package var now: Date { state.withLock { $0.start.addingTimeInterval($0.elapsed.inSeconds) } }
    package var uptime: Duration { state.withLock { $0.elapsed } }

    package func sleep(for duration: Duration) async throws {
        if duration <= .zero { return try Task.checkCancellation() }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (cancelled, woken) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
                    if Task.isCancelled { return (true, []) }
                    state.sleepers.append(
                        Sleeper(id: id, deadline: state.elapsed + duration, continuation: continuation))
                    return (false, Self.readyWatchers(&state))
                }
                if cancelled { continuation.resume(throwing: CancellationError()) }
                for watcher in woken { watcher.resume() }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else { return nil }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Moves both clocks forward and wakes whoever is due.
    package func advance(by duration: Duration) {
        let due = state.withLock { state -> [Sleeper] in
            state.elapsed += duration
            let due = state.sleepers.filter { $0.deadline <= state.elapsed }.sorted { $0.deadline < $1.deadline }
            state.sleepers.removeAll { $0.deadline <= state.elapsed }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Steps the wall clock alone, as an operator or NTP would. Sleepers do not notice.
    package func step(by duration: Duration) {
        state.withLock { $0.start = $0.start.addingTimeInterval(duration.inSeconds) }
    }

    /// Waits until at least `count` tasks sleep, and returns the shortest time one of them still has.
    @discardableResult
    package func sleepers(_ count: Int = 1) async -> Duration {
        await withCheckedContinuation { continuation in
            let woken = state.withLock { state in
                state.watchers.append((count, continuation))
                return Self.readyWatchers(&state)
            }
            for watcher in woken { watcher.resume() }
        }
        return state.withLock { state in
            (state.sleepers.map(\.deadline).min() ?? state.elapsed) - state.elapsed
        }
    }

    private static func readyWatchers(_ state: inout State) -> [CheckedContinuation<Void, Never>] {
        let sleeping = state.sleepers.count
        let ready = state.watchers.filter { $0.count <= sleeping }.map(\.continuation)
        state.watchers.removeAll { $0.count <= sleeping }
        return ready
    }
}

/// A seeded generator: the same sequence in every run.
package final class SeededRandom: RandomSource {
    private let state: Mutex<UInt64>
    package init(seed: UInt64 = 42) { state = Mutex(seed) }

    package func next() -> UInt64 {
        // SplitMix64.
        state.withLock { state in
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }
}
