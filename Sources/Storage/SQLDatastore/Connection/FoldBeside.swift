// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Groundwork
import Synchronization

/// Puts pieces together on another thread, in order, while the caller's thread makes the next ones.
///
/// For threads that may block, of a `BlockingLane`: `put` waits while two pieces are under way, so that memory holds no more.
final class FoldBeside<Value: Sendable, Piece: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var failure: (any Error)?
    }

    private static var depth: Int { 2 }

    private let state: Mutex<State>
    private let hasFailed = Atomic(false)
    private let room = DispatchSemaphore(value: 0)
    private let lane = BlockingLane("fold", width: 1)
    private let add: @Sendable (inout Value, Piece) throws -> Void

    /// - Parameter add: Runs on the other thread; after its first failure no more.
    init(_ initial: Value, _ add: @escaping @Sendable (inout Value, Piece) throws -> Void) {
        state = Mutex(State(value: initial))
        self.add = add
        for _ in 0..<Self.depth { room.signal() }
    }

    /// - Throws: once `add` has failed, to say that more is useless; `finish` tells why.
    func put(_ piece: Piece) throws {
        if hasFailed.load(ordering: .relaxed) { throw CancellationError() }
        room.wait()
        lane.submit { [self] in
            take(piece)
            room.signal()
        }
    }

    /// Waits for the last piece. To be called once.
    /// - Throws: what `add` threw.
    func finish() throws -> Value {
        for _ in 0..<Self.depth { room.wait() }
        for _ in 0..<Self.depth { room.signal() }
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            // Not left here, so that the caller changes it without a copy.
            guard let value = state.value.take() else { throw CancellationError() }
            return value
        }
    }

    private func take(_ piece: Piece) {
        state.withLock { state in
            guard state.failure == nil, var value = state.value.take() else { return }
            do {
                try add(&value, piece)
                state.value = value
            } catch {
                state.failure = error
                hasFailed.store(true, ordering: .relaxed)
            }
        }
    }
}
