// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// What is counted about keeping identities, under the original's names.
struct KeeperMeters: Sendable {
    let entriesFetched: CallCounter
    let svidsFetched: CallCounter
    let rotations: CallCounter
    let taintedX509: CallCounter
    let taintedJWT: CallCounter
    private let isOn: Bool
    private let bundles: Gauge
    private let entries: Gauge
    private let missing: Gauge
    private let stale: Gauge
    private let dropped: Gauge
    private let added: Counter
    private let updated: Counter
    private let removed: Counter
    private let records: Gauge
    private let svids: Gauge
    private let jwts: Gauge
    private let expiring: Sample
    private let outdated: Sample
    private let taintedX509Count: Sample
    private let taintedJWTCount: Sample

    init(_ meter: Meter) {
        isOn = meter.isOn
        entriesFetched = meter.call(["manager", "sync", "fetch_entries_updates"])
        svidsFetched = meter.call(["manager", "sync", "fetch_svids_updates"])
        rotations = meter.call(["agent_svid", "rotate"])
        let tainted = ["cache_manager", "workload"]
        taintedX509 = meter.call(tainted + ["process_tainted_x509_svids"])
        taintedJWT = meter.call(tainted + ["process_tainted_jwt_svids"])
        taintedX509Count = meter.sample(["cache_manager", "tainted_x509_svids", "workload"])
        taintedJWTCount = meter.sample(["cache_manager", "tainted_jwt_svids", "workload"])
        expiring = meter.sample(["cache_manager", "expiring_svids"])
        outdated = meter.sample(["cache_manager", "outdated_svids"])
        bundles = meter.gauge(["sync_bundles_total"])
        entries = meter.gauge(["sync_entries_total"])
        missing = meter.gauge(["sync_entries_missing"])
        stale = meter.gauge(["sync_entries_stale"])
        dropped = meter.gauge(["sync_entries_dropped"])
        added = meter.counter(["lru_cache_entry_add"])
        updated = meter.counter(["lru_cache_entry_update"])
        removed = meter.counter(["lru_cache_entry_remove"])
        records = meter.gauge(["lru_cache_record_map_size"])
        svids = meter.gauge(["lru_cache_svid_map_size"])
        jwts = meter.gauge(["jwt_svid_cache_size"])
    }

    /// What was found to be replaced because it ends soon, and because its entry changed.
    func planned(_ renewals: [SVIDCache.Renewal]) {
        guard isOn else { return }
        let replaced = renewals.filter { $0.expiresAt != nil }
        let due = replaced.count { $0.isExpiring }
        if due > 0 { expiring.add(Double(due)) }
        if replaced.count > due { outdated.add(Double(replaced.count - due)) }
    }

    func tainted(x509 count: Int) { if isOn { taintedX509Count.add(Double(count)) } }
    func tainted(jwt count: Int) { if isOn { taintedJWTCount.add(Double(count)) } }

    func synchronized(_ changes: SVIDCache.EntryChanges, bundles count: Int, entries total: Int) {
        guard isOn else { return }
        bundles.set(Double(count))
        entries.set(Double(total))
        missing.set(Double(changes.added.count))
        stale.set(Double(changes.updated.count))
        dropped.set(Double(changes.removed.count))
        added.add(Double(changes.added.count))
        updated.add(Double(changes.updated.count))
        removed.add(Double(changes.removed.count))
    }

    func sizes(_ counts: (x509: Int, jwt: Int, entries: Int)) {
        guard isOn else { return }
        records.set(Double(counts.entries))
        svids.set(Double(counts.x509))
        jwts.set(Double(counts.jwt))
    }
}
