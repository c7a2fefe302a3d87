// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Runs tasks on an event loop, so that a handler continues on the thread that owns its connection.
///
/// Jobs enqueued on the loop itself are run in one batch on its next turn: one wake-up, whatever their number. A loop runs
/// what is ready until nothing is, and looks at its sockets only then. So jobs that always have a next one, such as a
/// stream whose peer takes everything, are made to pause now and then; nobody would be heard otherwise.
/// `@unchecked` because what changes here is touched on the loop only.
final class LoopExecutor: TaskExecutor, @unchecked Sendable {
    private let loop: any EventLoop
    private var jobs: [UnownedJob] = []
    private var isScheduled = false
    /// Run since a socket of the loop was last read.
    private var jobsInARow = 0
    private static let mostInARow = 64
    /// Long enough not to be over when the loop looks for what is ready next; that long it waits for its sockets at most.
    private static let pause: TimeAmount = .microseconds(100)

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard loop.inEventLoop else {
            return loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
        jobs.append(job)
        guard !isScheduled else { return }
        isScheduled = true
        if jobsInARow < Self.mostInARow {
            loop.execute { self.drain() }
        } else {
            jobsInARow = 0
            // Begins once the loop has flushed what the jobs wrote, which can take longer than the pause.
            loop.execute { self.loop.scheduleTask(in: Self.pause) { self.drain() } }
        }
    }

    /// The loop has just looked at its sockets.
    func socketsWereRead() { jobsInARow = 0 }

    private func drain() {
        isScheduled = false
        let batch = jobs
        jobsInARow += batch.count
        jobs.removeAll(keepingCapacity: jobs.capacity <= 256)
        for job in batch { unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
