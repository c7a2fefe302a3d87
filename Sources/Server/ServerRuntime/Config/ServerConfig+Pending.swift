// SPDX-License-Identifier: Apache-2.0

import HCL
import Telemetry

extension ServerConfig {
    /// Keys that are known and read, but whose work is not done yet. Delete a line when its work is done.
    static let pending: [PendingKey<ServerConfig>] = [
        PendingKey("server.profiling_enabled") { $0.profiling.isEnabled },
        PendingKey("server.experimental.require_pq_kem") { $0.experimental.requiresPQKEM },
        PendingKey("server.experimental.wit_key_type") { $0.experimental.witKeyType != nil },
        PendingKey("server.experimental.wit_issuer") { !$0.experimental.witIssuer.isEmpty },
        PendingKey("server.experimental.feature_flags") { $0.experimental.featureFlags.contains("wit-svid") },
        PendingKey("telemetry.Prometheus") { $0.telemetry.prometheus != nil },
        PendingKey("telemetry.DogStatsd") { !$0.telemetry.dogStatsd.isEmpty },
        PendingKey("telemetry.Statsd") { !$0.telemetry.statsd.isEmpty },
        PendingKey("telemetry.M3") { !$0.telemetry.m3.isEmpty },
        PendingKey("telemetry.InMem") { $0.telemetry.inMemory },
        PendingKey("health_checks.listener_enabled") { $0.healthChecks.isEnabled },
    ]
}
