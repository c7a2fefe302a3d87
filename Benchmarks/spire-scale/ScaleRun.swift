// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The phases of one run, in order.
struct ScaleRun {
    let fleet: Fleet

    private var options: ScaleOptions { fleet.options }
    private var gauge: ServerGauge { fleet.gauge }

    func run(_ report: inout Report) async throws {
        try await phase("tokens", Double(fleet.agents.count), &report) { try await fleet.makeTokens() }
        try await phase("attestations", Double(fleet.agents.count), &report) { try await fleet.attest() }
        report.add(fleet.attested.fields("attestation"))
        if options.workloads > 0 {
            let entries = fleet.agents.count * options.workloads
            try await phase("entries", Double(entries), &report) { try await fleet.makeEntries() }
        }
        try await phase("starts", Double(fleet.agents.count), &report) {
            let signed = try await fleet.start()
            guard signed == fleet.agents.count * options.workloads else { throw UsageError("certificates are missing") }
        }
        report.add(fleet.synchronized.fields("first_sync"))
        report.add("server_rss_connected_mb", gauge.memory.now)
        try await follow(&report)
        if options.mode == .push {
            let streams = fleet.streams
            report.add("streams_opened", Double(streams.opened))
            report.add("streams_complete_changes", Double(streams.completeChanges))
        }
        let own = ServerGauge(process: Int(getpid()), sqlLog: "")
        report.add("harness_rss_mb", own.memory.now)
        report.add("harness_cpu_seconds", own.cpu)
        let memory = gauge.memory
        report.add("server_rss_end_mb", memory.now)
        report.add("server_rss_most_mb", memory.most)
    }

    private func follow(_ report: inout Report) async throws {
        switch options.mode {
        case .poll: try await follow(PollFollower(interval: .seconds(options.pollInterval)), &report)
        case .push: try await follow(PushFollower(), &report)
        }
    }

    private func follow(_ follower: some EntryFollower, _ report: inout Report) async throws {
        let fleet = fleet
        var found = report
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await fleet.follow(follower) }
            // All have to be following before anything is counted.
            try await phase("following", Double(fleet.agents.count), &found) { try await fleet.waitForFollowers() }
            try await Task.sleep(for: .seconds(options.settle))
            try await idle(&found)
            try await churn(&found)
            group.cancelAll()
            while let _ = await group.nextResult() {}
        }
        report = found
    }

    private func idle(_ report: inout Report) async throws {
        guard options.idle > 0 else { return }
        let cpu = gauge.cpu
        try await Task.sleep(for: .seconds(options.idle))
        report.add("idle_cpu_percent_of_core", (gauge.cpu - cpu) / options.idle * 100)
        report.add("server_rss_idle_mb", gauge.memory.now)
        try await statements("idle", &report) { try await Task.sleep(for: .seconds(options.idle)) }
    }

    private func churn(_ report: inout Report) async throws {
        guard options.seconds > 0, options.churn > 0 || options.renewals > 0 else { return }
        let cpu = gauge.cpu
        let fleet = fleet
        async let renewals: Void = fleet.renewals()
        try await fleet.churn()
        try await renewals
        // The last ones are still on their way.
        try await Task.sleep(for: .seconds(options.mode == .poll ? options.pollInterval + 1 : 2))
        report.add("churn_cpu_percent_of_core", (gauge.cpu - cpu) / options.seconds * 100)
        report.add(fleet.received.fields("entry_received"))
        report.add(fleet.signed.fields("entry_signed"))
        report.add(fleet.removed.fields("entry_removed"))
        if options.renewals > 0 { report.add(fleet.renewed.fields("renewal")) }
        let troubles = fleet.troubles
        report.add("entries_lost", Double(troubles.lost))
        report.add("entries_misdirected", Double(troubles.misdirected))
        report.add("failures", Double(troubles.failures))
        report.note("first_failure", troubles.first)
    }

    /// Counts statements while `body` runs, from the server's log.
    private func statements(_ name: String, _ report: inout Report, _ body: () async throws -> Void) async throws {
        guard !options.sqlLog.isEmpty else { return }
        let clock = ContinuousClock()
        try await fleet.administrator.logDebug(true)
        let position = gauge.logPosition
        let start = clock.now
        try await body()
        let count = gauge.statements(after: position)
        let seconds = (clock.now - start).inSeconds
        try await fleet.administrator.logDebug(false)
        report.add("\(name)_statements_per_second", Double(count) / seconds)
    }

    private func phase(
        _ name: String, _ count: Double, _ report: inout Report, _ body: () async throws -> Void
    ) async throws {
        let clock = ContinuousClock()
        let cpu = gauge.cpu
        let start = clock.now
        try await body()
        let seconds = (clock.now - start).inSeconds
        report.add("\(name)_seconds", seconds)
        report.add("\(name)_per_second", count / seconds)
        if options.process > 0 { report.add("\(name)_cpu_ms_each", (gauge.cpu - cpu) * 1000 / count) }
    }
}
