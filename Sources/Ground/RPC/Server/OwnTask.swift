// SPDX-License-Identifier: Apache-2.0

/// Does some work in a child task, whose memory goes with it.
///
/// A task keeps the room its deepest call needed for as long as it lives, and that of a stream lives for days in which it
/// only waits.
package func inOwnTask<Result: Sendable>(
    _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await work() }
        guard let result = try await group.next() else { throw CancellationError() }
        return result
    }
}
