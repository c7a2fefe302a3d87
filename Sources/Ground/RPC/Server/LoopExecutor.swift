// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Runs tasks on an event loop, so that a handler continues on the thread that owns its connection.
///
/// Jobs enqueued on the loop itself are run in one batch on its next turn: one wake-up, whatever their number.
/// `@unchecked` because `jobs` is touched on the loop only.
final class LoopExecutor: TaskExecutor, @unchecked Sendable {
    private let loop: any EventLoop
    private var jobs: [UnownedJob] = []
    private var isScheduled = false

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard loop.inEventLoop else {
            return loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
        jobs.append(job)
        guard !isScheduled else { return }
        isScheduled = true
        loop.execute { self.drain() }
    }

    private func drain() {
        isScheduled = false
        let batch = jobs
        jobs.removeAll(keepingCapacity: jobs.capacity <= 256)
        for job in batch { unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
