// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Groundwork
import Testing

struct BlockingLaneTests {
    @Test("results and errors come back")
    func results() async throws {
        let lane = BlockingLane("test", width: 2)
        #expect(try await lane.run { 42 } == 42)
        await #expect(throws: SpireError(.notFound, "")) { try await lane.run { throw SpireError(.notFound, "gone") } }
    }

    @Test("no more calls block at once than the lane is wide, and all are run")
    func width() async throws {
        let lane = BlockingLane("test", width: 3)
        let counts = Watch((now: 0, most: 0, done: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<60 {
                group.addTask {
                    try await lane.run {
                        counts.update {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        for _ in 0..<1000 { _ = DispatchTime.now() }
                        counts.update {
                            $0.now -= 1
                            $0.done += 1
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(counts.value.done == 60)
        #expect((1...3).contains(counts.value.most))
    }

    @Test("a lane of one runs calls in the order they came")
    func order() async throws {
        let lane = BlockingLane("test", width: 1)
        let seen = Watch<[Int]>([])
        for number in 0..<2000 { lane.submit { seen.update { $0.append(number) } } }
        try await lane.run {}
        #expect(seen.value == Array(0..<2000))
    }

    @Test("a blocked lane does not block tasks, and a cancelled task begins no call")
    func blocked() async throws {
        let lane = BlockingLane("test", width: 1)
        let gate = DispatchSemaphore(value: 0)
        lane.submit { gate.wait() }
        let ran = Watch(false)
        await withTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask {
                await #expect(throws: CancellationError.self) { try await lane.run { ran.set(true) } }
            }
        }
        gate.signal()
        #expect(try await lane.run { "free" } == "free")
        #expect(!ran.value)
    }
}
