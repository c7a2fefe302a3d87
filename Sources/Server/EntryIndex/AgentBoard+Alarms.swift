// SPDX-License-Identifier: Apache-2.0

import Groundwork
import Synchronization

/// One clock for all streams: a timer of its own would cost each of them a task that sleeps.
extension AgentBoard {
    /// Rings a stream once `span` has passed, in place of what it asked for before.
    func alarm(_ number: UInt64, in span: Duration, _ bell: Watch<UInt64>) {
        let due = time.uptime + span
        state.withLock { $0.alarms[number] = (due, bell) }
    }

    /// When the next stream is to be rung, by `TimeSource.uptime`.
    package var nextAlarm: Duration? { state.withLock { $0.alarms.values.map(\.due).min() } }

    /// Rings streams whose time is up, once a second, until cancelled.
    package func keepTime() async throws {
        while true {
            try await time.sleep(for: .seconds(1))
            let now = time.uptime
            let due = state.withLock { state in
                let due = state.alarms.filter { $0.value.due <= now }
                for number in due.keys { state.alarms[number] = nil }
                return due.values.map(\.bell)
            }
            for bell in due { bell.update { $0 &+= 1 } }
        }
    }
}
