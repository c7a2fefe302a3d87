// SPDX-License-Identifier: Apache-2.0

package import Groundwork
package import Logging

/// One part that can say how it is.
package struct HealthCheck: Sendable {
    /// The name in the answer, such as `server.ca`.
    package let name: String
    /// Asks; takes a minute at most.
    package let ask: @Sendable () async -> HealthState

    package init(_ name: String, _ ask: @escaping @Sendable () async -> HealthState) {
        self.name = name
        self.ask = ask
    }
}

/// Asks the parts of a program how they are: every second until all are well for the first time, then every minute.
/// > Matches: SPIRE's health checker.
package struct HealthMonitor: Sendable {
    fileprivate struct Record {
        var failures = 0
        var failedAt: Duration?
    }

    private static let starting: Duration = .seconds(1)
    private static let settled: Duration = .seconds(60)
    private static let patience: Duration = .seconds(60)

    private let checks: [HealthCheck]
    private let registry: HealthRegistry
    private let time: any TimeSource
    private let logger: Logger

    package init(
        _ checks: [HealthCheck], registry: HealthRegistry, time: any TimeSource, logger: Logger
    ) {
        self.checks = checks
        self.registry = registry
        self.time = time
        self.logger = logger
    }

    /// What is remembered from one round to the next.
    struct Progress {
        fileprivate var records: [Record]
        fileprivate var hasBeenWell = false
    }

    var start: Progress { Progress(records: [Record](repeating: Record(), count: checks.count)) }

    /// Checks until cancelled.
    package func run() async {
        var progress = start
        logger.debug("Initializing health checkers")
        while !Task.isCancelled {
            let pause = await round(&progress)
            do { try await time.sleep(for: pause) } catch { break }
        }
        logger.debug("Finishing health checker")
    }

    /// Asks every part once. - Returns: how long to wait for the next round.
    func round(_ progress: inout Progress) async -> Duration {
        for (place, check) in checks.enumerated() {
            let state = await answer(check)
            if Task.isCancelled { break }
            note(check.name, state, &progress.records[place])
            registry.report(check.name, state)
        }
        if registry.isLive, registry.isReady { progress.hasBeenWell = true }
        return progress.hasBeenWell ? Self.settled : Self.starting
    }

    /// A part that does not answer in time is not well.
    private func answer(_ check: HealthCheck) async -> HealthState {
        await withTaskGroup(of: HealthState?.self) { group in
            group.addTask { await check.ask() }
            group.addTask {
                do { try await time.sleep(for: Self.patience) } catch { return nil }
                return HealthState(isLive: false, isReady: false, details: ["error": "the check did not end in time"])
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first ?? .unknown
        }
    }

    private func note(_ name: String, _ state: HealthState, _ record: inout Record) {
        let isWell = state.isLive && state.isReady
        let now = time.uptime
        var fields: Logger.Metadata = ["check": "\(name)"]
        if isWell {
            guard let since = record.failedAt else { return }
            fields["failures"] = "\(record.failures)"
            fields["duration"] = "\((now - since).inSeconds)"
            record = Record()
            return logger.info("Health check recovered", metadata: fields)
        }
        record.failures += 1
        if let error = state.details.sorted(by: { $0.key < $1.key }).first?.value { fields[LogKey.error] = "\(error)" }
        fields["details"] = .dictionary(state.details.mapValues { .string($0) })
        guard let since = record.failedAt else {
            record.failedAt = now
            return logger.warning("Health check failed", metadata: fields)
        }
        fields["failures"] = "\(record.failures)"
        fields["duration"] = "\((now - since).inSeconds)"
        logger.warning("Health check has failed", metadata: fields)
    }
}
