// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts handlers that ended because they were cancelled.
final class Cancellations: Sendable {
    private let state = Mutex<Int64>(0)

    var count: Int64 { state.withLock { $0 } }

    func counting(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            state.withLock { $0 += 1 }
            throw error
        }
    }
}
