// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Synchronization

/// Counts the looks at the datastore, one after the other, for those who have to wait for one.
final class Looks: Sendable {
    private struct State {
        var begun: UInt64 = 0
        var areMade = false
    }

    private let state = Mutex(State())
    /// The number of the last look that succeeded.
    private let done = Watch<UInt64>(0)

    /// Whether anybody makes looks.
    func areMade(_ areMade: Bool) { state.withLock { $0.areMade = areMade } }

    func make(_ look: () async throws -> Void) async throws {
        let number = state.withLock { state in
            state.begun += 1
            return state.begun
        }
        try await look()
        done.set(number)
    }

    /// The number of the first look that begins from now on; `nil` when none is to come.
    var next: UInt64? { state.withLock { $0.areMade ? $0.begun + 1 : nil } }

    /// Waits until that look has succeeded.
    func wait(for number: UInt64) async {
        for await last in done.changes() where last >= number { return }
    }
}

extension EntryIndex {
    /// Looks at the datastore, and waits until what had been committed before this call shows in the answers.
    ///
    /// - Returns: whether it does; `false` when `limit` passed, or when `run` does not run.
    /// - Throws: `CancellationError`.
    package func catchUp(within limit: Duration) async throws -> Bool {
        guard let number = looks.next else { return false }
        noteLocalChange()
        let hasLooked = await withTaskGroup(of: Bool.self) { group in
            group.addTask { [time] in
                try? await time.sleep(for: limit)
                return false
            }
            group.addTask { [looks] in
                await looks.wait(for: number)
                return true
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
        try Task.checkCancellation()
        return hasLooked
    }
}
