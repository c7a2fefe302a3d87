// SPDX-License-Identifier: Apache-2.0

import Telemetry

/// How much the index holds, under the original's names.
struct IndexGauges: Sendable {
    private let entries: Gauge
    private let aliases: Gauge
    private let aliasSelectors: Gauge
    private let agents: Gauge
    private let expiries: Gauge

    init(_ meter: Meter) {
        entries = meter.gauge(["entry", "entries_by_entryid_cache", "count"])
        aliases = meter.gauge(["entry", "nodealiases_by_entryid_cache", "count"])
        aliasSelectors = meter.gauge(["entry", "nodealiases_by_selector_cache", "count"])
        agents = meter.gauge(["node", "agents_by_id_cache", "count"])
        expiries = meter.gauge(["node", "agents_by_expiresat_cache", "count"])
        // Nothing is concluded from gaps among event IDs, so none is waited for.
        meter.gauge(["entry", "skipped_entry_event_ids", "count"]).set(0)
        meter.gauge(["node", "skipped_node_event_ids", "count"]).set(0)
    }

    func report(_ tree: AuthorizationTree) {
        entries.set(Double(tree.entryCount))
        aliases.set(Double(tree.aliasCount))
        aliasSelectors.set(Double(tree.aliasSelectorCount))
        agents.set(Double(tree.agentCount))
        expiries.set(Double(tree.agentCount))
    }
}
