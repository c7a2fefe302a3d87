// SPDX-License-Identifier: Apache-2.0

package import Datastore
import Groundwork
import Synchronization

extension SharedDatastoreConformance {
    /// Creates entries by all stores at once while `disturb` runs, until some get through again afterwards; then compares
    /// what was answered with what is there.
    ///
    /// - Parameters:
    ///   - disturb: Is handed what waits until so many more creations were answered.
    ///   - reading: Gives the store that is asked what is there.
    /// - Throws: `ConformanceFailure` when something that was answered is not there, or something is there twice.
    package static func keepsWhatItAnswers(
        _ stores: [any Datastore], while disturb: (_ answered: (Int) async -> Void) async throws -> Void,
        reading: () async throws -> any Datastore
    ) async throws {
        let progress = WritingProgress()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, store) in (stores + stores + stores).enumerated() {
                group.addTask {
                    var number = 0
                    while !progress.isOver {
                        let id = "e\(index)-\(number)"
                        number += 1
                        do {
                            _ = try await store.createEntry(.sample("/\(id)", id: id))
                            progress.note(id)
                        } catch let error as SpireError where error.code == .unavailable {
                            // Not answered: it may be there or not.
                        }
                    }
                }
            }
            do {
                try await disturb(progress.wait(more:))
                // Some of them have to get through again.
                await progress.wait(more: 20)
            } catch {
                progress.end()
                throw error
            }
            progress.end()
            try await group.waitForAll()
        }
        let store = try await reading()
        let found = try await store.listEntries(EntryFilter(), page: nil).items
        let lost = progress.answered.subtracting(found.map(\.id))
        try require(lost.isEmpty, "answered and lost: \(lost.sorted())")
        try requireEqual(Set(found.map(\.spiffeID)).count, found.count)
        try requireEqual(try await store.entryEvents(after: 0).count, found.count)
    }
}

private final class WritingProgress: Sendable {
    private let over = Mutex(false)
    private let state = Watch<Set<String>>([])

    var isOver: Bool { over.withLock { $0 } }
    var answered: Set<String> { state.value }
    func note(_ id: String) { state.update { _ = $0.insert(id) } }
    func end() { over.withLock { $0 = true } }

    func wait(more count: Int) async {
        let wanted = state.value.count + count
        for await answered in state.changes() where answered.count >= wanted { return }
    }
}
