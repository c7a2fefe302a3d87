// SPDX-License-Identifier: Apache-2.0

package import Groundwork
import Synchronization

/// `agent-data.json`: read once, then written whole, atomically, whenever something in it changes.
package final class AgentStorage: Sendable {
    /// Largest file accepted.
    package static let maximumSize = 16 << 20

    private let path: String
    private let lane: BlockingLane
    private let state: Mutex<AgentData>

    /// Reads the file of a data directory. A missing one is an agent's first start.
    ///
    /// - Throws: `agent.storage_malformed` or `io`, naming the file and the remedy. The file stays as it is.
    package init(directory: String, lane: BlockingLane) throws {
        path = directory.hasSuffix("/") ? directory + "agent-data.json" : directory + "/agent-data.json"
        self.lane = lane
        var data = AgentData()
        do {
            if let bytes = try AtomicFile.read(path, limit: Self.maximumSize) { data = try AgentData(decoding: bytes) }
        } catch let error as SpireError where error.code == .storageMalformed {
            throw SpireError(
                .storageMalformed,
                "failed to open storage: \(path): \(error.message); restore the file, or remove it to attest anew")
        } catch let error as SpireError {
            throw error.while("failed to open storage")
        }
        state = Mutex(data)
    }

    /// What the file holds.
    package var data: AgentData { state.withLock { $0 } }

    /// Changes the content and writes it when it differs. Calls must not overlap: the agent's one life makes them.
    /// - Throws: `io`. The file then holds what it held before, and so does `data`.
    package func update(_ change: @Sendable (inout AgentData) -> Void) async throws {
        let before = data
        var after = before
        change(&after)
        guard after != before else { return }
        let bytes = after.encoded()
        let path = path
        try await lane.run { try AtomicFile.write(bytes, to: path) }
        let stored = after
        state.withLock { $0 = stored }
    }
}
