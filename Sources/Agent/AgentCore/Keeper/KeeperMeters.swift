// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// What is counted about keeping identities, under the original's names.
struct KeeperMeters: Sendable {
    let entriesFetched: CallCounter
    let svidsFetched: CallCounter
    let rotations: CallCounter
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

    init(_ meter: Meter) {
        isOn = meter.isOn
        entriesFetched = meter.call(["manager", "sync", "fetch_entries_updates"])
        svidsFetched = meter.call(["manager", "sync", "fetch_svids_updates"])
        rotations = meter.call(["agent_svid", "rotate"])
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
