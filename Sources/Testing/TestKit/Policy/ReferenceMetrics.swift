// SPDX-License-Identifier: Apache-2.0

import Groundwork

/// Every metric SPIRE 1.16 tells of, without the program's prefix.
/// > Source: the reference's tables of metrics of server and agent, and the pages of a running original.
package enum ReferenceMetrics {
    package static let server: [String] =
        [
            "rpc.svid.v1.svid.batch_new_x509svid", "rpc.svid.v1.svid.mint_jwtsvid", "rpc.agent.v1.agent.attest_agent",
            "rpc.trustdomain.v1.trust_domain.refresh_bundle",
            "rpc.localauthority.v1.local_authority.get_jwt_authority_state", "rpc.health.check", "rpc.logger.get_logger",
            "rateLimit.agent.v1.agent.attest_agent", "rateLimit.svid.v1.svid.batch_new_x509svid",
            "bundle_manager.update.federated_bundle", "bundle_manager.fetch.federated_bundle",
            "ca.manager.bundle.prune", "ca.manager.bundle.pruned", "ca.manager.x509_ca.prepare",
            "ca.manager.jwt_key.prepare", "ca.manager.wit_key.prepare", "ca.manager.x509_ca.activate",
            "manager.jwt_key.activate", "manager.wit_key.activate", "manager.x509_ca.rotate.expiration",
            "manager.x509_ca.rotate.ttl", "server_ca.sign.x509_svid", "server_ca.sign.x509_ca_svid",
            "server_ca.sign.jwt_svid", "svid.rotate", "registration_entry.manager.prune", "node.manager.prune",
            "entry.cache.reload", "entry.nodealiases_by_entryid_cache.count", "entry.nodealiases_by_selector_cache.count",
            "entry.entries_by_entryid_cache.count", "entry.skipped_entry_event_ids.count", "node.agents_by_id_cache.count",
            "node.agents_by_expiresat_cache.count", "node.skipped_node_event_ids.count", "started", "uptime_in_ms",
        ]
        + ["generate_key", "get_public_key", "get_public_keys", "sign_data"].map { "server_key_manager.\($0)" }
        + names("datastore.bundle", "append count create delete fetch list prune set update")
        + names("datastore.bundle.x509", "taint revoke") + names("datastore.bundle.jwt", "taint revoke")
        + names("datastore.ca_journal", "set fetch prune")
        + names("datastore.federation_relationship", "create delete fetch list update")
        + names("datastore.join_token", "create delete fetch prune")
        + names("datastore.node", "count create delete fetch list update prune")
        + names("datastore.node.selectors", "fetch list set") + names("datastore.node_event", "list prune fetch")
        + names("datastore.registration_entry", "count create delete fetch list prune update")
        + names("datastore.registration_entry_event", "list prune fetch")
        + names("runtime", "num_goroutines alloc_bytes sys_bytes malloc_count free_count heap_objects")
        + names("runtime", "total_gc_pause_ns total_gc_runs gc_pause_ns")

    package static let agent: [String] =
        [
            "rpc.workload_api.fetch_x509svid", "rpc.health.check", "agent_svid.rotate",
            "manager.sync.fetch_entries_updates", "manager.sync.fetch_svids_updates", "node.attestor.new_svid",
            "workload_api.workload_attestation", "workload_api.workload_attestor",
            "cache_manager.workload.process_tainted_x509_svids", "cache_manager.workload.process_tainted_jwt_svids",
            "cache_manager.svid_store.process_tainted_x509_svids", "started", "uptime_in_ms", "bootstrapped",
            "bootstrap_seconds", "bootstrap_attempts", "lru_cache_entry_add", "lru_cache_entry_remove",
            "lru_cache_entry_update", "lru_cache_record_map_size", "lru_cache_svid_map_size", "jwt_svid_cache_size",
            "sync_bundles_total", "sync_entries_total", "sync_entries_missing", "sync_entries_stale",
            "sync_entries_dropped", "cache_manager.expiring_svids", "cache_manager.outdated_svids",
            "cache_manager.tainted_x509_svids.workload", "cache_manager.tainted_jwt_svids.workload",
            "workload_api.connection", "workload_api.connections", "workload_api.discovered_selectors",
            "workload_api.rate_limit_exceeded", "sds_api.connections", "debug_api.connection", "debug_api.connections",
            "delegated_identity_api.connection", "delegated_identity_api.connections",
            "delegated_identity_api.subscribe_x509_svid.first_x509_svid_update",
        ] + names("agent_key_manager", "generate_key get_keys generate_key_pair fetch_private_key store_private_key")
        + ["store.store_svid_updates"]

    private static func names(_ first: String, _ last: String) -> [String] {
        last.split(separator: " ").map { "\(first).\($0)" }
    }

    /// Those of `wanted` that are neither among `made` nor named in the text of `Documentation/Compatibility.md`.
    package static func missing(_ wanted: [String], from made: Set<String>, toldIn text: String) -> [String] {
        wanted.filter { !made.contains($0) && !text.contains("`\($0)`") }
    }

    /// The text of `Documentation/Compatibility.md`.
    package static func compatibility(file: StaticString = #filePath) throws -> String {
        let root = "\(file)".split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
        guard let bytes = try AtomicFile.read(root + "/Documentation/Compatibility.md", limit: 1 << 20) else {
            throw SpireError(.notFound, "there is no Documentation/Compatibility.md")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
