// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts handlers that run, and those that ended because they were cancelled.
final class Cancellations: Sendable {
    private let state = Mutex<(running: Int64, cancelled: Int64)>((0, 0))

    var counts: (running: Int64, cancelled: Int64) { state.withLock { $0 } }

    func counting(_ body: () async throws -> Void) async throws {
        state.withLock { $0.running += 1 }
        do {
            try await body()
        } catch {
            state.withLock { $0 = ($0.running - 1, $0.cancelled + 1) }
            throw error
        }
        state.withLock { $0.running -= 1 }
    }
}
