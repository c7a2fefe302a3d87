// SPDX-License-Identifier: Apache-2.0

import Datastore
import FoundationEssentials
import Groundwork
import Logging
import Synchronization
import Telemetry
import Testing
import TestKit

@testable import ServerRuntime

@Suite struct PrunerTests {
    /// Holds so many expired agents and notes how they are asked for.
    private final class Nodes: NodeWriter {
        let state: Mutex<(left: Int, steps: [Int], cutoffs: Set<Int64>)>
        init(_ count: Int) { state = Mutex((count, [], [])) }

        func pruneNodes(expiredBefore cutoff: Int64, includingNonReattestable: Bool, limit: Int) async throws -> Int {
            state.withLock { state in
                let taken = min(limit, state.left)
                state.left -= taken
                state.steps.append(limit)
                state.cutoffs.insert(cutoff)
                return taken
            }
        }

        func createNode(_ node: AttestedNode) async throws {}
        func updateNode(_ node: AttestedNode, fields: NodeFields) async throws -> AttestedNode { node }
        func setNodeSelectors(id: String, _ selectors: [Selector]) async throws {}
        func deleteNode(id: String) async throws -> AttestedNode { throw SpireError(.notFound, "none") }
    }

    @Test(
        "a round removes at most the batch of the configuration, in short steps",
        arguments: [(5000, 1000, 4000, 10), (250, 1000, 0, 3), (200, 1000, 0, 3), (0, 1000, 0, 1), (500, 30, 470, 1)])
    func paced(present: Int, batch: Int, left: Int, steps: Int) async throws {
        let nodes = Nodes(present)
        let time = ManualClock()
        var settings = ServerConfig.NodePruning(expiredFor: .seconds(60))
        settings.batchSize = batch
        let pruner = Pruner.nodes(
            nodes, settings, meter: .off, time: time, random: SeededRandom(),
            logger: Logger(label: "pruner") { _ in SwiftLogNoOpLogHandler() })
        #expect(pruner.interval >= .seconds(2700) && pruner.interval <= .seconds(4500))
        try await pruner.round()
        let (found, asked, cutoffs) = nodes.state.withLock { $0 }
        #expect(found == left)
        #expect(asked.count == steps)
        #expect(asked.allSatisfy { $0 <= 100 })
        #expect(cutoffs == [Int64(time.now.timeIntervalSince1970) - 60])
    }
}
